"""The series of typical pixels: the same for any cut into strips, from the pixels that have something to show."""

import numpy as np
import pytest

from seq2seq.report.series import SeriesLattice, ndvi, ndvi_bands, ndvi_sigma

DAYS = np.array([0, 10, 25, 40])


def filled(shape: tuple[int, int], step: int, *, observed: np.ndarray | None = None) -> SeriesLattice:
    """Left half green and growing, right half bare."""
    generator = np.random.default_rng(0)
    observed = generator.random((len(DAYS), *shape)) > 0.4 if observed is None else observed
    lattice = SeriesLattice(DAYS, shape)
    for t in range(len(DAYS)):
        image = np.full((2, *shape), 0.2, np.float32) + generator.random((2, *shape), dtype=np.float32) * 0.01
        image[1, :, : shape[1] // 2] += 0.1 * t
        for top in range(0, shape[0], step):
            rows = slice(top, min(top + step, shape[0]))
            lattice.add(
                t,
                rows,
                before=image[:, rows],
                after=image[:, rows],
                sigma=np.full_like(image[:, rows], 0.02),
                cloud_mask=~observed[t, rows],
            )
    return lattice


def test_the_bands_are_red_and_near_infrared_or_none() -> None:
    assert ndvi_bands(("B02", "B04", "B8A", "B08")) == ("B04", "B08")
    assert ndvi_bands(("B04", "B8A")) == ("B04", "B8A")
    assert ndvi_bands(("B02", "B08")) is None
    assert ndvi_bands(("B04", "B11")) is None


def test_the_series_do_not_depend_on_the_cut_into_strips() -> None:
    whole, cut = filled((70, 60), 70).typical(), filled((70, 60), 13).typical()
    assert [(p.row, p.column) for p in whole] == [(p.row, p.column) for p in cut]
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_typical_pixels_are_of_different_kinds_the_most_frequent_first() -> None:
    found = filled((40, 60), 40).typical(2)
    assert len(found) == 2
    assert sum(pixel.share for pixel in found) == pytest.approx(1)
    assert found[0].share >= found[1].share
    rises = sorted(float(pixel.values[-1] - pixel.values[0]) for pixel in found)
    assert rises[0] == pytest.approx(0, abs=0.05)
    assert rises[1] > 0.3


def test_only_pixels_observed_once_and_hidden_once_are_shown() -> None:
    observed = np.ones((len(DAYS), 20, 20), bool)
    assert filled((20, 20), 20, observed=observed).typical() == []
    observed[1, 7, 3] = False
    only = filled((20, 20), 20, observed=observed).typical()
    assert [(pixel.row, pixel.column) for pixel in only] == [(7, 3)]
    assert np.isnan(only[0].observation[1])
    before, between, after = only[0].linear[:3]
    assert before < between < after, "bands are interpolated, so their index lies between"
    assert between < only[0].linear[2] - 0.01


def test_sigma_of_the_index_is_what_errors_of_the_bands_make_of_it() -> None:
    generator = np.random.default_rng(0)
    red, infrared = (np.full(200_000, value, np.float32) for value in (0.08, 0.3))
    drawn = ndvi(
        red + generator.normal(0, 0.01, red.shape).astype(np.float32),
        infrared + generator.normal(0, 0.02, red.shape).astype(np.float32),
    )
    sigma = ndvi_sigma(red[:1], infrared[:1], np.full(1, 0.01, np.float32), np.full(1, 0.02, np.float32))
    assert drawn.std() == pytest.approx(sigma[0], rel=0.05)


def test_dark_pixels_have_a_finite_index_and_sigma() -> None:
    nothing = np.zeros(3, np.float32)
    assert np.isfinite(ndvi(nothing, nothing)).all()
    assert (ndvi_sigma(nothing, nothing, nothing + 1, nothing + 1) <= 1).all()
