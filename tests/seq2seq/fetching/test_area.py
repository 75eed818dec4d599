"""What is asked for, and the grid that is made of it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.warp import transform

from seq2seq.errors import ConfigError
from seq2seq.fetching.area import Box, box_around, footprint_of, grid_of, parse_area, parse_period, utm_epsg


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5,50,4,51", "W 5 is not west of E 4; an area across the dateline"),
        ("179,50,-179,51", "an area across the dateline has to be fetched as two"),
        ("4,51,5,50", "S 51 is not south of N 50"),
        ("4,50,4,51", "W 4 is not west of E 4"),
        ("4,-85,5,-84", "latitudes must lie within -80 and 84"),
        ("4,80,5,85", "latitudes must lie within -80 and 84"),
        ("600000,5600000,610000,5610000", "longitudes must lie within -180 and 180"),
        ("50,4,nan,51", "must be W,S,E,N"),
        ("a,b,c,d", "must be W,S,E,N"),
        ("4,50,5", "is neither a box nor a file"),
        ("nowhere.geojson", "is neither a box nor a file"),
    ],
)
def test_areas_that_cannot_be_are_one_line(text, words):
    with pytest.raises(ConfigError) as caught:
        parse_area(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2021-10-31/2021-05-01", "2021-10-31 is after 2021-05-01"),
        ("2021-05", "must be FIRST/LAST"),
        ("2021-05-01/", "must be FIRST/LAST"),
        ("yesterday", "must be FIRST/LAST"),
        ("1900-01-01/2022-01-01", "at most"),
    ],
)
def test_periods_that_cannot_be_are_one_line(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_period(text)


def test_a_period_has_both_its_ends():
    assert parse_period("2021-05-01/2021-05-03").interval == "2021-05-01T00:00:00Z/2021-05-03T23:59:59.999Z"
    assert parse_period("2021-05-01").interval.startswith("2021-05-01T00:00:00Z/2021-05-01T")


@pytest.mark.parametrize(
    ("longitude", "latitude", "epsg"),
    [
        (4.6, 50.6, 32631),
        (-77.0, -12.0, 32718),
        (5.3, 60.4, 32632),
        (15.0, 78.0, 32633),
        (8.9, 73.0, 32631),
        (180, 10, 32660),
    ],
)
def test_zones_are_those_of_the_tiles(longitude, latitude, epsg):
    assert utm_epsg(longitude, latitude) == epsg


boxes = st.tuples(st.floats(-179, 178.9), st.floats(-79, 83), st.floats(0.001, 0.08), st.floats(0.001, 0.08)).map(
    lambda box: Box(box[0], box[1], box[0] + box[2], box[1] + box[3])
)


@settings(deadline=None)
@given(area=boxes, gsd=st.sampled_from([10.0, 20.0, 60.0]))
def test_a_grid_lies_on_multiples_and_holds_all_of_its_area(area, gsd):
    grid = grid_of(area, gsd)
    assert np.allclose(np.array([grid.affine.c, grid.affine.f]) % gsd, 0)
    assert (grid.affine.a, grid.affine.e) == (gsd, -gsd)
    side = np.linspace(0, 1, 9)
    x = np.concatenate([area.west + side * (area.east - area.west)] * 2)
    y = np.repeat([area.south, area.north], 9)
    inside = ~grid.affine @ tuple(map(np.array, transform("EPSG:4326", f"EPSG:{grid.crs.epsg}", x, y)))
    assert inside[0].min() >= -0.01
    assert inside[1].min() >= -0.01
    assert inside[0].max() <= grid.shape[1] + 0.01
    assert inside[1].max() <= grid.shape[0] + 0.01
    # no more than it takes: a pixel, and what a box in degrees is wider at one end
    assert grid.shape[1] * gsd <= 1.2 * (inside[0].max() - inside[0].min()) * gsd + 2 * gsd


@settings(deadline=None)
@given(area=boxes)
def test_what_is_searched_holds_the_area_and_the_grid(area):
    grid = grid_of(area, 10)
    around = box_around(grid)
    assert around.west <= area.west + 1e-6
    assert around.north >= area.north - 1e-6
    assert footprint_of(grid).is_valid


def test_the_size_is_limited_in_numbers():
    with pytest.raises(ConfigError, match=r"px of 10 m are .* at most 120,560,400 are fetched; give a smaller area"):
        grid_of(Box(4, 50, 6, 52), 10)
    assert grid_of(Box(4, 50, 6, 52), 60).shape[0] > 3000
    for gsd in (1, 5000, float("nan")):
        with pytest.raises(ConfigError, match="--gsd"):
            grid_of(Box(4, 50, 4.1, 50.1), gsd)


POLYGON = {"type": "Polygon", "coordinates": [[[4.6, 50.6], [4.7, 50.6], [4.65, 50.7], [4.6, 50.6]]]}


@pytest.mark.parametrize(
    "found",
    [
        POLYGON,
        {"type": "Feature", "geometry": POLYGON, "properties": {"coordinates": [[0, 0]]}},
        {
            "type": "FeatureCollection",
            "features": [{"type": "Feature", "geometry": POLYGON}, {"type": "Feature", "geometry": None}],
        },
        {"type": "GeometryCollection", "geometries": [POLYGON]},
        {"type": "LineString", "coordinates": [[4.6, 50.6, 12.0], [4.7, 50.7, 13.0]]},
    ],
)
def test_geojson_of_any_kind_is_the_box_around_it(tmp_path, found):
    path = tmp_path / "area.geojson"
    path.write_text(json.dumps(found))
    assert parse_area(str(path)).bounds == (4.6, 50.6, 4.7, 50.7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not valid GeoJSON"),
        ("[" * 5000, "is not valid GeoJSON"),
        ("{}", "holds no coordinates"),
        ('{"coordinates": [[600000, 5600000]]}', "no longitudes and latitudes"),
        ('{"coordinates": [[179, 50], [-179, 51]]}', "crosses the dateline"),
        ('{"coordinates": [[4, 50]]}', "W 4 is not west of E 4"),
        ('{"crs": {"properties": {"name": "EPSG:32631"}}, "coordinates": [[4, 50], [5, 51]]}', "states a CRS"),
        ('{"coordinates": [[NaN, 50], [5, 51]]}', ""),
    ],
)
def test_geojson_that_is_none_is_one_line(tmp_path, text, words):
    path = tmp_path / "area.geojson"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        parse_area(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
