"""What a run will cost grows with the scene, keeps to the budget, and tiles fit into the memory."""

import pytest

from seq2seq.config import ReconstructionConfig
from seq2seq.estimate import estimate, tile_size

DEFAULT = ReconstructionConfig()


def test_four_times_the_pixels_cost_about_four_times_as_much_and_no_more_memory_than_a_tile():
    one, four = (estimate((30, 13, side, side), DEFAULT) for side in (256, 512))
    assert 3.5 < four.seconds / one.seconds < 4.5
    assert four.memory_gb < one.memory_gb + 2


def test_a_budget_bounds_the_estimate():
    assert estimate((30, 13, 2000, 2000), DEFAULT.replace(max_minutes=5)).seconds == 300


@pytest.mark.parametrize("memory_gb", [0.5, 1, 2, 4, 8, 64])
def test_a_tile_fits_into_the_memory_or_is_the_smallest(memory_gb):
    config = DEFAULT.replace(max_memory_gb=memory_gb)
    side = tile_size((60, 13, 5000, 5000), config)
    needed = estimate((60, 13, side, side), config.replace(max_memory_gb=4096)).memory_gb
    assert needed <= memory_gb * 1.01 or side == 64


def test_more_memory_means_larger_tiles_up_to_the_largest():
    sides = [tile_size((60, 13, 5000, 5000), DEFAULT.replace(max_memory_gb=gb)) for gb in (0.5, 1, 2, 4, 8, 64, 512)]
    assert sides == sorted(sides)
    assert sides[0] == 64
    assert sides[-1] == sides[-2] == 288


def test_the_published_method_takes_hours_and_its_schedule_scales():
    whole, tenth = (
        estimate((20, 9, 101, 101), DEFAULT.replace(method="ebel2021", method_settings={"schedule_factor": factor}))
        for factor in (1.0, 0.1)
    )
    assert whole.seconds > 3600
    assert tenth.seconds < 0.2 * whole.seconds
