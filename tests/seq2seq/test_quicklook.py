"""Pictures: the same for any cut into windows, in one stretch for all dates, and never led by clouds."""

import itertools
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seq2seq.report.preview import choose_dates, preview_png
from seq2seq.report.quicklook import AreaMean, Miniatures, Pictures, Stretch, display_bands
from seq2seq.report.thumbnails import thumbnails


def cuts(length: int) -> st.SearchStrategy[list[int]]:
    inner = st.lists(st.integers(1, length - 1), max_size=4, unique=True)
    return inner.map(lambda points: [0, *sorted(points), length])


@settings(max_examples=60, deadline=None)
@given(rows=cuts(37), columns=cuts(23), max_px=st.integers(3, 40))
def test_area_means_do_not_depend_on_the_cut_into_windows(rows: list[int], columns: list[int], max_px: int) -> None:
    generator = np.random.default_rng(1)
    pixels, counted = generator.random((2, 37, 23)), generator.random((37, 23)) > 0.3
    whole, cut = AreaMean(2, (37, 23), max_px), AreaMean(2, (37, 23), max_px)
    whole.add(slice(0, 37), slice(0, 23), pixels, counted)
    for top, bottom in itertools.pairwise(rows):
        for left, right in itertools.pairwise(columns):
            part = slice(top, bottom), slice(left, right)
            cut.add(*part, pixels[:, *part], counted[part])
    np.testing.assert_allclose(cut.mean(), whole.mean(), rtol=1e-6)
    assert max(whole.mean().shape[1:]) <= max_px


def test_an_area_mean_is_the_mean_of_the_counted_pixels_of_the_cell() -> None:
    pixels = np.arange(24, dtype=np.float64).reshape(1, 4, 6)
    counted = np.ones((4, 6), dtype=bool)
    counted[0, 0], counted[:2, 4:] = False, False
    mean = AreaMean(1, (4, 6), 3)
    mean.add(slice(0, 4), slice(0, 6), pixels, counted)
    small = mean.mean()[0]
    assert small.shape == (2, 3)
    assert small[0, 0] == pytest.approx((1 + 6 + 7) / 3)
    assert np.isnan(small[0, 2])
    assert small[1, 2] == pytest.approx(pixels[0, 2:, 4:].mean())


def test_bands_are_natural_colour_then_false_colour_then_grey() -> None:
    assert display_bands(("B02", "B03", "B04", "B08")) == ("B04", "B03", "B02")
    assert display_bands(("B03", "B04", "B08")) == ("B08", "B04", "B03")
    assert display_bands(("B01", "B04", "B08", "B11")) == ("B11", "B08", "B04")
    assert display_bands(("B05", "B06", "B07", "B8A", "B11", "B12")) == ("B12", "B8A", "B05")
    assert display_bands(("B05", "B06")) == ("B05",)
    assert display_bands(("B01", "B08")) == ("B08",)
    assert display_bands(("B01", "B09", "B10")) == ("B01",)


def sequence_pictures(cloud_value: float = 0.9, bands: tuple[str, ...] = ("B02", "B03", "B04")) -> Pictures:
    generator = np.random.default_rng(2)
    truth = generator.uniform(0.02, 0.2, (4, len(bands), 20, 30)).astype(np.float32)
    cloud_mask = np.zeros((4, 20, 30), dtype=bool)
    cloud_mask[1, :, :15], cloud_mask[2], cloud_mask[3] = True, True, True
    before = np.where(cloud_mask[:, None], np.float32(cloud_value), truth)
    sigma = np.where(cloud_mask[:, None], truth / 10, np.float32(0))
    before[3] = 0  # an empty acquisition
    dates = np.array(["2021-01-01", "2021-01-11", "2021-01-21", "2021-02-01"], dtype="datetime64[D]")
    collected = Miniatures(dates, bands, (20, 30), max_px=30)
    for t in range(4):
        collected.add(
            t, slice(0, 20), slice(0, 30), before=before[t], after=truth[t], sigma=sigma[t], cloud_mask=cloud_mask[t]
        )
    return collected.pictures()


def test_the_stretch_does_not_depend_on_what_lies_under_clouds() -> None:
    dim, bright = sequence_pictures(0.3).stretch, sequence_pictures(1.5).stretch
    np.testing.assert_array_equal(dim.low, bright.low)
    np.testing.assert_array_equal(dim.high, bright.high)


def test_equal_reflectance_looks_equal_on_every_date_before_and_after() -> None:
    pictures = sequence_pictures()
    before, after = (pictures.stretch.apply(part[0]) for part in (pictures.before, pictures.after))
    np.testing.assert_array_equal(before, after)


def test_a_sequence_without_a_clear_cell_is_stretched_by_its_result() -> None:
    pictures = sequence_pictures()
    hidden = replace(pictures, cloud=np.ones_like(pictures.cloud))
    assert np.all(hidden.stretch.high < 0.25)


def test_no_data_is_grey_and_neither_black_nor_white() -> None:
    pictures = sequence_pictures()
    assert np.isnan(pictures.before[3]).all()
    grey = pictures.stretch.apply(pictures.before[3])
    assert np.unique(grey.reshape(-1, 3), axis=0).shape == (1, 3)
    assert 20 < grey.mean() < 120


def test_a_constant_band_can_be_shown() -> None:
    stretch = Stretch.of(np.full((1, 50), 0.1, dtype=np.float32))
    assert np.isfinite(stretch.apply(np.full((1, 3, 3), 0.1, dtype=np.float32))).all()


def test_thumbnails_open_and_masks_are_opaque_where_there_is_cloud() -> None:
    shown = thumbnails(sequence_pictures())
    assert [thumbnail.date for thumbnail in shown] == ["2021-01-01", "2021-01-11", "2021-01-21", "2021-02-01"]
    for thumbnail in shown:
        assert Image.open(BytesIO(thumbnail.before)).size == Image.open(BytesIO(thumbnail.after)).size == (30, 20)
    alpha = np.asarray(Image.open(BytesIO(shown[1].cloud_mask)))[..., 3]
    assert (alpha[:, :15] == 255).all()
    assert (alpha[:, 15:] == 0).all()


def test_the_preview_is_a_png_with_a_column_for_each_chosen_date() -> None:
    pictures = sequence_pictures()
    two, four = (Image.open(BytesIO(preview_png(pictures, columns=n, cell_px=60, note="simulated"))) for n in (2, 9))
    assert two.format == "PNG"
    assert four.width - two.width == 2 * (60 + 6)


def test_a_single_band_gives_a_grey_preview() -> None:
    preview_png(sequence_pictures(bands=("B05",)), cell_px=40)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 8))
def test_chosen_dates_are_in_order_unique_and_no_more_than_asked(cloud: list[float], count: int) -> None:
    chosen = choose_dates(np.array(cloud), count)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(count, len(cloud))


def test_pictures_of_uncertainty_share_one_scale_and_leave_out_what_was_observed() -> None:
    shown = thumbnails(sequence_pictures())
    assert len({thumbnail.sigma_limit for thumbnail in shown}) == 1
    assert 0.01 < shown[0].sigma_limit < 0.02
    images = [np.asarray(Image.open(BytesIO(thumbnail.sigma))) for thumbnail in shown]
    assert not images[0][..., 3].any(), "wholly observed"
    assert images[1][:, :15, 3].all()
    assert not images[1][:, 15:, 3].any()
    assert len(np.unique(images[2][..., 0])) > 10
