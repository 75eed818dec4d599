"""Previews: the cloudiest dates, small, in one stretch, with observed pixels as they are."""

import io

import numpy as np
from PIL import Image

from seq2seq.bands import BAND_SETS
from seq2seq.config import ReconstructionConfig
from seq2seq.readers import read_sequence
from seq2seq.run.reconstruction import reconstruct
from seq2seq.simulation.simulate import simulate, write_simulation
from seq2seq.viewing.previews import previews


def test_three_dates_that_get_nearer_to_the_result(tmp_path):
    write_simulation(simulate(dates=6, size=(40, 600), bands=BAND_SETS["10m"], cloud=0.5, seed=1), tmp_path)
    observations = read_sequence(tmp_path / "input")
    shown = []
    config = ReconstructionConfig(method="linear", device="cpu")
    result = reconstruct(observations, config, on_prediction=lambda pixels: shown.append(pixels.copy()))
    assert len(shown) == 2  # when it is scored, and when it is done
    np.testing.assert_array_equal(shown[-1], result.s2.pixels)
    found = list(previews(observations, shown[-1]))
    cloud = dict(zip(map(str, observations.s2.dates), observations.cloud_mask.mean(axis=(1, 2)), strict=True))
    assert [preview.date for preview in found] == sorted(cloud, key=lambda date: -cloud[date])[:3]
    for preview in found:
        image = Image.open(io.BytesIO(preview.image))
        assert image.format == "WEBP"
        assert image.size == (200, 14)
        assert len(preview.image) < 40_000
    black = next(previews(observations, np.zeros_like(shown[-1])))
    assert (
        np.asarray(Image.open(io.BytesIO(black.image))).mean()
        < np.asarray(Image.open(io.BytesIO(found[0].image))).mean()
    )
