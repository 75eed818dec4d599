import numpy as np
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from seq2seq.readers.pairing import describe_grid, grids_overlap, gsd_m, nearest_acquisitions, same_grid

GRID = GeoBox((20, 30), Affine(10, 0, 600_000, 0, -10, 5_600_000), "EPSG:32631")
day_sets = st.lists(st.integers(0, 400), min_size=1, max_size=20, unique=True).map(sorted)


def as_dates(days):
    return np.datetime64("2020-01-01", "D") + np.array(days, dtype=int)


@given(day_sets, day_sets, st.integers(0, 60))
def test_each_date_gets_the_nearest_acquisition_within_the_limit_and_the_earlier_of_two(s2_days, s1_days, max_days):
    index = nearest_acquisitions(as_dates(s2_days), as_dates(s1_days), max_days=max_days)
    for day, got in zip(s2_days, index, strict=True):
        gaps = [abs(day - other) for other in s1_days]
        expected = min(range(len(gaps)), key=lambda i: (gaps[i], s1_days[i]))
        assert got == (expected if gaps[expected] <= max_days else -1)


def test_without_acquisitions_nothing_is_paired():
    assert nearest_acquisitions(as_dates([1, 2]), as_dates([]), max_days=9).tolist() == [-1, -1]


def test_a_grid_is_the_same_as_itself_rounded_but_not_shifted_resized_or_reprojected():
    rounded = GeoBox((20, 30), Affine(10, 0, 600_000.01, 0, -10, 5_600_000), GRID.crs)
    assert same_grid(GRID, rounded)
    assert not same_grid(GRID, GeoBox((20, 30), Affine(10, 0, 600_001, 0, -10, 5_600_000), GRID.crs))
    assert not same_grid(GRID, GeoBox((20, 30), Affine(10.1, 0, 600_000, 0, -10, 5_600_000), GRID.crs))
    assert not same_grid(GRID, GRID[:10, :])
    assert not same_grid(GRID, GeoBox((20, 30), GRID.affine, "EPSG:32632"))


def test_overlap_is_seen_across_crss_and_touching_is_none():
    assert grids_overlap(GRID, GeoBox((50, 50), Affine(1e-4, 0, 4.412, 0, -1e-4, 50.545), "EPSG:4326"))
    assert not grids_overlap(GRID, GeoBox((50, 50), Affine(1e-4, 0, 4.512, 0, -1e-4, 50.545), "EPSG:4326"))
    assert not grids_overlap(GRID, GeoBox((20, 30), GRID.affine @ Affine.translation(30, 0), GRID.crs))
    assert not grids_overlap(GRID, GeoBox((20, 30), GRID.affine, "EPSG:32651"))


def test_messages_name_crs_size_and_place():
    assert describe_grid(GRID) == "EPSG:32631, 30 x 20 px of 10 m x 10 m, upper left (600000, 5600000)"


def test_the_ground_sampling_distance_is_in_metres_also_in_degrees():
    assert gsd_m(GRID) == 10
    assert 8 < gsd_m(GeoBox((4, 4), Affine(1e-4, 0, 5, 0, -1e-4, 50), "EPSG:4326")) < 12
