"""What is left is said by what the machine has shown so far."""

import pytest

from seq2seq.methods.guided import INFO
from seq2seq.methods.guided.method import expected_stages
from seq2seq.methods.guided.settings import GuidedSettings
from seq2seq.run.clock import Pace

# Shares of a run: those of the stages of one `start`, and what one `start` takes of the run.
STAGES = {name: INFO.preparing_share * share for name, share in expected_stages(2, 2, GuidedSettings(mlps=2)).items()}


@pytest.mark.parametrize("slower", [0.5, 1.0, 4.0, 12.0])
def test_half_way_through_preparing_the_machines_pace_is_known_within_a_third(slower: float) -> None:
    pace = Pace(100.0)
    assert list(STAGES)[3] == "mlp-2", "half way: samples, trees of two bands, the first of two MLPs"
    for share in list(STAGES.values())[:4]:
        pace.note(share, slower * 100 * share)
    assert pace.factor() == pytest.approx(slower, rel=0.33)
    assert pace.remaining_s() == pytest.approx(slower * 100 * (1 - pace.done), rel=0.33)


def test_what_lay_in_a_checkpoint_is_done_and_says_nothing_of_the_machine() -> None:
    pace = Pace(100.0)
    pace.note(0.3, None)
    assert pace.factor() == 1
    assert pace.remaining_s() == pytest.approx(70)


def test_while_there_is_work_something_is_left_however_late_it_is() -> None:
    pace = Pace(100.0)
    pace.note(0.5, 5000.0)
    assert pace.remaining_s() > 4000
    assert pace.seconds(-1e-12) == 0
