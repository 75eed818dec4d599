"""Where a pixel is: between the places of scene.json a browser interpolates, and is right to a metre."""

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.warp import transform

from seq2seq.looking.compass import exact_north_degrees
from seq2seq.viewing.manifest import lonlat_grid


def bilinear(grid: dict, values: list, row: float, column: float) -> float:
    rows, columns, table = np.array(grid["rows"]), np.array(grid["columns"]), np.array(values)
    r = min(int(np.searchsorted(rows, row, side="right")) - 1, len(rows) - 2)
    c = min(int(np.searchsorted(columns, column, side="right")) - 1, len(columns) - 2)
    v, u = (row - rows[r]) / (rows[r + 1] - rows[r]), (column - columns[c]) / (columns[c + 1] - columns[c])
    return (
        table[r, c] * (1 - v) * (1 - u) + table[r, c + 1] * (1 - v) * u + table[r + 1, c] * v * (1 - u)
        + table[r + 1, c + 1] * v * u
    )  # fmt: skip


def worst_m(geobox: GeoBox) -> float:
    grid, rng, worst = lonlat_grid(geobox), np.random.default_rng(0), 0.0
    for row, column in rng.uniform(0, 1, (200, 2)) * np.array(geobox.shape):
        x, y = geobox.affine * (column, row)
        (lon,), (lat,) = transform(geobox.crs.to_wkt(), "EPSG:4326", [x], [y])
        east = (bilinear(grid, grid["lon"], row, column) - lon + 180) % 360 - 180
        north = bilinear(grid, grid["lat"], row, column) - lat
        worst = max(worst, np.hypot(east * np.cos(np.radians(lat)), north) * 111_320)
    return worst


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(
    ("crs", "corner", "places"),
    [
        ("EPSG:32631", (500_000, 5_600_000), 5),
        ("EPSG:32631", (760_000, 5_600_000), 5),
        ("EPSG:32733", (300_000, 6_300_000), 5),
        ("EPSG:32633", (450_000, 7_800_000), 9),
    ],
)
def test_within_a_metre_over_twenty_kilometres_of_utm(crs, corner, places):
    geobox = GeoBox((2000, 2000), Affine(10, 0, corner[0], 0, -10, corner[1]), crs)
    assert len(lonlat_grid(geobox)["rows"]) == places
    assert worst_m(geobox) < 1


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_whole_granule_has_more_places():
    geobox = GeoBox((10980, 10980), Affine(10, 0, 600_000, 0, -10, 5_700_000), "EPSG:32631")
    assert worst_m(geobox) < 1
    assert len(lonlat_grid(geobox)["lon"]) == len(lonlat_grid(geobox)["rows"]) > 9


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_degrees_and_the_antimeridian_are_no_matter():
    degrees = GeoBox((100, 100), Affine(0.001, 0, 179.95, 0, -0.001, 10), "EPSG:4326")
    grid = lonlat_grid(degrees)
    assert len(grid["rows"]) == 5
    lon = np.array(grid["lon"])
    assert (np.diff(lon, axis=1) > 0).all()
    crossing = GeoBox((2000, 2000), Affine(10, 0, 810_000, 0, -10, 1_000_000), "EPSG:32660")
    assert (np.diff(np.array(lonlat_grid(crossing)["lon"]), axis=1) > 0).all()


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_north_leans_east_of_the_central_meridian_by_the_known_angle():
    geobox = GeoBox((100, 100), Affine(10, 0, 700_000, 0, -10, 5_600_000), "EPSG:32631")
    (lon,), (lat,) = transform("EPSG:32631", "EPSG:4326", [700_500.0], [5_599_500.0])
    convergence = np.degrees(np.arctan(np.tan(np.radians(lon - 3)) * np.sin(np.radians(lat))))
    assert exact_north_degrees(geobox) == pytest.approx(-convergence, abs=0.01)
