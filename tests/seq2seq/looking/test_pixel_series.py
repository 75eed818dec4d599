"""Pixels over time: clear and masked values apart, interpolation of clear ones, the result through what was seen."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seq2seq.errors import ConfigError
from seq2seq.looking.compass import lonlat
from seq2seq.looking.result import open_result
from seq2seq.looking.scene import SequenceScene
from seq2seq.looking.series import Curve, Pixel, parse_pixel, parse_point, read_curves
from seq2seq.looking.series_picture import _chart, month_ticks
from seq2seq.looking.views import choose_view
from seq2seq.readers import open_sequence
from seq2seq.report.series import ndvi

PLACE = Pixel(11, 17)


def test_each_date_is_either_observed_or_masked(sequence: Path):
    with open_sequence(sequence) as source:
        scene, given = SequenceScene(source), source.read()
        view, _ = choose_view("ndvi", scene.info.bands, (), name="x")
        (curve,) = read_curves(scene, PLACE, view)
    cloud = given.cloud_mask[:, PLACE.row, PLACE.column]
    np.testing.assert_array_equal(np.isfinite(curve.observed), ~cloud)
    assert not (np.isfinite(curve.observed) & np.isfinite(curve.masked)).any()
    red, infrared = (given.s2.pixels[:, given.s2.bands.index(band), PLACE.row, PLACE.column] for band in view.bands)
    np.testing.assert_allclose(curve.observed[~cloud], ndvi(red, infrared)[~cloud], rtol=1e-5)
    np.testing.assert_allclose(curve.linear[~cloud], curve.observed[~cloud], rtol=1e-5)
    assert curve.result is None
    assert curve.sigma is None


def test_a_result_goes_through_what_was_observed_and_is_sure_of_it(result: Path):
    with open_result(result, source=None, max_memory_gb=1) as scene:
        view, _ = choose_view("rgb", scene.info.bands, (), name="x")
        curves = read_curves(scene, PLACE, view)
    assert [curve.name for curve in curves] == ["B04", "B03", "B02"]
    for curve in curves:
        seen = np.isfinite(curve.observed)
        np.testing.assert_allclose(curve.result[seen], curve.observed[seen], atol=1e-4)
        assert (curve.sigma[seen] == 0).all()
        assert (curve.sigma[~seen] > 0).all()


def test_radar_is_observed_under_clouds_too(sequence: Path):
    with open_sequence(sequence) as source:
        scene = SequenceScene(source)
        view, _ = choose_view("s1", scene.info.bands, scene.info.s1_bands, name="x")
        curves = read_curves(scene, PLACE, view)
    assert [curve.name for curve in curves] == ["VV", "VH", "VV-VH"]
    assert all(np.isfinite(curve.observed).all() for curve in curves)


def test_a_point_is_the_pixel_that_it_lies_in(sequence: Path):
    with open_sequence(sequence) as source:
        info = SequenceScene(source).info
    for place in (Pixel(0, 0), Pixel(31, 39), PLACE):
        for row, column in ((0.1, 0.1), (0.5, 0.5), (0.9, 0.9)):
            longitude, latitude = lonlat(info.geobox, place.row + row, place.column + column)
            assert parse_point(f"{longitude},{latitude}", info) == place


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3", "must be ROW,COL"),
        ("a,b", "must be ROW,COL"),
        ("1.5,2", "must be ROW,COL"),
        ("32,0", "row 32, column 0, outside meadows, rows 0 to 31, columns 0 to 39"),
        ("0,-1", "column -1, outside"),
    ],
)
def test_a_pixel_that_is_none_is_one_line_with_the_numbers(sequence: Path, text: str, words: str):
    with open_sequence(sequence) as source:
        info = SequenceScene(source).info
    with pytest.raises(ConfigError, match=words) as caught:
        parse_pixel(text, info)
    assert f"--pixel {text}" in str(caught.value)


@pytest.mark.parametrize("text", ["500,3", "3,500", "3", "x,y", "-170,-80", "nan,3"])
def test_a_point_that_is_none_is_one_line(sequence: Path, text: str):
    with open_sequence(sequence) as source:
        info = SequenceScene(source).info
    with pytest.raises(ConfigError, match=rf"--point {text}"):
        parse_point(text, info)


@pytest.mark.parametrize(
    ("first", "last", "most"),
    [("2018-04-19", "2018-08-22", 9), ("2020-08-01", "2022-03-01", 9), ("2015-01-01", "2025-01-01", 9)],
)
def test_ticks_are_firsts_of_months_in_order_and_few(first: str, last: str, most: int):
    ticks = month_ticks([first, last])
    assert 2 <= len(ticks) <= most
    for day, text in ticks:
        assert np.datetime64(first, "D") + int(day) == np.datetime64(text, "M").astype("datetime64[D]")


def test_a_series_within_one_month_has_its_ends_as_ticks():
    assert month_ticks(["2020-05-03", "2020-05-28"]) == [(0.0, "2020-05-03"), (25.0, "2020-05-28")]


@pytest.mark.parametrize("dates", [1, 2, 5])
@pytest.mark.parametrize("known", [True, False])
def test_a_chart_can_be_drawn_of_few_dates_and_of_nothing_observed(dates: int, known: bool):
    days = [str(np.datetime64("2020-05-03") + 10 * k) for k in range(dates)]
    values = np.linspace(0.1, 0.4, dates, dtype=np.float32)
    nothing = np.full(dates, np.nan, dtype=np.float32)
    curve = Curve("B04", values if known else nothing, nothing if known else values, None, None, None)
    drawn = np.asarray(_chart(days, curve, bounded=False))
    assert (drawn.max(axis=-1) > 200).any()


def test_masked_values_beyond_the_axis_do_not_flatten_the_others():
    values = np.array([0.1, 0.2, 0.15], dtype=np.float32)
    gaps = np.array([np.nan, np.nan, np.nan], dtype=np.float32)
    bright = np.array([np.nan, 9.0, np.nan], dtype=np.float32)
    days = ["2020-05-01", "2020-06-01", "2020-07-01"]
    plain, with_cloud = (
        np.asarray(_chart(days, Curve("B04", values, masked, values, None, None), bounded=False), dtype=int)
        for masked in (gaps, bright)
    )
    changed = np.abs(plain - with_cloud).sum(axis=-1) > 0
    assert changed.any(), "a triangle says that there is something"
    assert changed.mean() < 0.01
    assert isinstance(Image.fromarray(with_cloud.astype(np.uint8)), Image.Image)
