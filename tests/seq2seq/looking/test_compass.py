"""North and lengths: by the grid's own CRS, whatever it is."""

import math

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from seq2seq.looking.compass import degrees, lonlat, north_degrees, pixel_width_m, place_of, round_length, scale_of

UTM = GeoBox((100, 120), Affine(10, 0, 500_000, 0, -10, 5_600_000), "EPSG:32631")
LONLAT = GeoBox((100, 120), Affine(0.001, 0, 3, 0, -0.001, 60), "EPSG:4326")
EUROPE = GeoBox((88, 88), Affine(10, 0, 5_280_000, 0, -10, 2_520_000), "EPSG:3035")


@pytest.mark.parametrize("grid", [UTM, LONLAT])
def test_north_is_up_where_the_grid_is_north_up(grid):
    assert north_degrees(grid) == 0


def test_north_leans_where_the_projection_does():
    assert -15 < north_degrees(EUROPE) < -4, "east of its central meridian, north leans to the left"


@pytest.mark.parametrize("turn", [-120, -40, 25, 90, 170])
def test_north_turns_with_the_grid(turn):
    turned = GeoBox(UTM.shape, UTM.affine * Affine.rotation(turn), UTM.crs)
    assert (
        abs((north_degrees(turned) - turn + 180) % 360 - 180) < 1
        or abs((north_degrees(turned) + turn + 180) % 360 - 180) < 1
    )


def test_a_grid_that_is_upside_down_has_north_below():
    flipped = GeoBox(UTM.shape, Affine(10, 0, 500_000, 0, 10, 5_600_000), UTM.crs)
    assert abs(north_degrees(flipped)) == pytest.approx(180, abs=1)


@pytest.mark.parametrize("grid", [UTM, LONLAT, EUROPE])
def test_pixels_become_degrees_and_back(grid):
    longitude, latitude = lonlat(grid, 33.25, 71.5)
    assert place_of(grid, longitude, latitude) == pytest.approx((33.25, 71.5), abs=1e-3)


def test_degrees_are_shorter_in_the_north():
    assert pixel_width_m(LONLAT) == pytest.approx(111.32 * math.cos(math.radians(59.95)), rel=1e-3)
    assert pixel_width_m(UTM) == 10


@given(st.floats(1e-3, 1e7))
def test_a_bar_is_round_and_as_long_as_it_may_be(most):
    length = round_length(most)
    assert length <= most * (1 + 1e-6)
    assert most < 2.5 * length * (1 + 1e-6)
    assert f"{length:e}"[0] in "125"


@pytest.mark.parametrize(("cell", "zoom"), [(1, 1), (1, 15), (7, 1), (3, 2)])
def test_the_bar_is_as_long_as_it_says(cell, zoom):
    bar = scale_of(UTM, cell_px=cell, zoom=zoom)
    drawn_px = bar.metres / bar.metres_per_px
    assert drawn_px * 10 * cell / zoom == pytest.approx(bar.metres)
    assert 40 < drawn_px <= 150


def test_a_place_is_in_words():
    assert degrees(-1.5, 3.25) == "1.50000° S, 3.25000° E"
