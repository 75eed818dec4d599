"""The sun over a scene: stated wherever formats state it, computed elsewhere, and where its shadows fall."""

import json

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from cube_files import to_netcdf
from hypothesis import given
from hypothesis import strategies as st
from loose_images import DAYS, SIDE, dn, write
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from safe_products import write_product

from seq2seq.readers import open_contents
from seq2seq.readers.safe.metadata import read_sun
from seq2seq.readers.sun import LOWEST_ELEVATION_DEG, Sun, computed_sun, shadow_step, stated_sun

TANZANIA = GeoBox((32, 32), Affine(20, 0, 260_900, 0, -20, 9_595_800), "EPSG:32737")
IRELAND = GeoBox((10_980, 10_980), Affine(10, 0, 499_980, 0, -10, 6_000_000), "EPSG:32629")
BELGIUM = GeoBox((100, 100), Affine(10, 0, 500_000, 0, -10, 5_600_000), "EPSG:32631")
# As products state it: day, azimuth, elevation.
STATED = (
    (IRELAND, "2022-10-05", 172.84, 32.18),
    (TANZANIA, "2019-09-26", 84.88, 69.08),
    (TANZANIA, "2019-10-11", 101.58, 70.04),
)


@pytest.mark.parametrize(("grid", "day", "azimuth", "elevation"), STATED)
def test_the_computed_sun_is_that_of_real_products_within_two_and_a_half_degrees(grid, day, azimuth, elevation):
    sun = computed_sun(np.datetime64(day), grid)
    assert abs(sun.azimuth_deg - azimuth) < 2.5
    assert abs(sun.elevation_deg - elevation) < 1


def test_the_computed_sun_of_136_real_dates(shared_data):
    path = next((shared_data / "formats/gee").glob("S2*.nc"))
    with xr.open_dataset(path, mask_and_scale=False) as cube:
        days = cube.timestamp.values.astype("datetime64[D]")
        azimuth, zenith = cube.sunAzimuthAngles.values, cube.sunZenithAngles.values
    suns = [computed_sun(day, TANZANIA) for day in days]
    away = (np.array([sun.azimuth_deg for sun in suns]) - azimuth + 180) % 360 - 180
    assert len(days) == 136
    assert np.abs(away).max() < 2.5
    assert np.abs(np.array([sun.elevation_deg for sun in suns]) - (90 - zenith)).max() < 1


@given(st.integers(0, 20_000), st.floats(-89, 89), st.floats(-179, 179))
def test_there_is_a_sun_on_every_day_and_everywhere(day, latitude, longitude):
    grid = GeoBox((10, 10), Affine(1e-4, 0, longitude, 0, -1e-4, latitude), "EPSG:4326")
    sun = computed_sun(np.datetime64(day, "D"), grid)
    assert 0 <= sun.azimuth_deg < 360
    assert LOWEST_ELEVATION_DEG <= sun.elevation_deg <= 90
    assert np.isfinite(shadow_step(sun, grid)).all()


@pytest.mark.parametrize(
    "stated",
    [
        {"MEAN_SOLAR_AZIMUTH_ANGLE": "151.5", "MEAN_SOLAR_ZENITH_ANGLE": "30", "CLOUDY_PIXEL_PERCENTAGE": "3"},
        {"view:sun_azimuth": 151.5, "view:sun_elevation": 60},
        {"s2:mean_solar_azimuth": 151.5, "s2:mean_solar_zenith": 30.0},
        {"sunAzimuthAngles": np.float32(151.5), "sunZenithAngles": np.float32(30)},
        {"view:sun_azimuth": 151.5, "view:sun_elevation": 60, "MEAN_INCIDENCE_ZENITH_ANGLE_B8": 9},
        Sun(151.5, 60.0).tags(),
        {"view": "sun_azimuth=151.5", "view2": "sun_elevation=60"},
    ],
)
def test_angles_are_understood_under_all_their_names(stated):
    assert stated_sun(stated) == Sun(151.5, 60.0)


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"view:sun_azimuth": 151.5},
        {"view:sun_azimuth": "north", "view:sun_elevation": 60},
        {"view:sun_azimuth": np.nan, "view:sun_elevation": 60},
        {"view:sun_azimuth": 151.5, "view:sun_elevation": -3},
        {"view:sun_azimuth": 1e9, "view:sun_elevation": 60},
        {"view:azimuth": 100, "view:incidence_angle": 4},
    ],
)
def test_what_is_no_angle_is_none(stated):
    assert stated_sun(stated) is None


def test_shadows_lie_opposite_the_sun_as_far_as_it_is_low():
    rows, columns = shadow_step(Sun(150.0, 45.0), BELGIUM)  # in the south-east: the shadow lies north-west
    assert np.hypot(rows, columns) == pytest.approx(0.1, rel=0.01)  # 10 m a pixel, as long as the cloud is high
    assert rows == pytest.approx(-0.1 * np.cos(np.radians(30)), abs=0.001)
    assert columns == pytest.approx(-0.1 * np.sin(np.radians(30)), abs=0.001)
    low = shadow_step(Sun(150.0, 20.0), BELGIUM)
    assert np.hypot(*low) == pytest.approx(0.1 / np.tan(np.radians(20)), rel=0.01)


@pytest.mark.parametrize(("crs", "size"), [("EPSG:4326", 1e-4), ("EPSG:3035", 10.0)])
def test_shadows_lie_where_they_do_on_any_grid(crs, size):
    """The pixel of a shadow on another grid is at the same place on the ground, 2 km from the cloud."""
    sun, to = Sun(150.0, 45.0), CRS(crs)
    x, y = BELGIUM.crs.transformer_to_crs(to)(*(BELGIUM.affine @ (50, 50)))
    other = GeoBox((100, 100), Affine(size, 0, x - 50 * size, 0, -size, y + 50 * size), to)
    ends = []
    for grid in (BELGIUM, other):
        rows, columns = (2000 * each for each in shadow_step(sun, grid))
        ends.append(grid.crs.transformer_to_crs(BELGIUM.crs)(*(grid.affine @ (50 + columns, 50 + rows))))
    assert np.hypot(*np.subtract(*ends)) < 30


def suns_in(path):
    with open_contents(path) as contents:
        return [raster.header.sun for raster in contents.s2]


def test_tags_of_images_state_it(tmp_path):
    tags = {"MEAN_SOLAR_AZIMUTH_ANGLE": "151.5", "MEAN_SOLAR_ZENITH_ANGLE": "30"}
    for index, day in enumerate(DAYS):
        path = write(tmp_path, f"{day}_B02.tif", dn(index))
        if index:
            import rasterio

            with rasterio.open(path, "r+") as file:
                file.update_tags(**tags)
    assert suns_in(tmp_path) == [None] + [Sun(151.5, 60.0)] * (len(DAYS) - 1)


def test_items_state_it(tmp_path):
    for index, day in enumerate(DAYS):
        write(tmp_path, f"x{index}.tif", dn(index))
        asset = {"href": f"x{index}.tif", "type": "image/tiff; application=geotiff", "eo:bands": [{"name": "B02"}]}
        angles = {"view:sun_azimuth": 151.5, "view:sun_elevation": 60 - index}
        content = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": f"S2A_{day}",
            "geometry": None,
            "properties": {"datetime": f"{day}T10:50:31Z", "platform": "sentinel-2a", **angles},
            "links": [],
            "assets": {"B02": asset},
        }
        (tmp_path / f"{day}.json").write_text(json.dumps(content))
    assert suns_in(tmp_path) == [Sun(151.5, 60.0 - index) for index in range(len(DAYS))]


def test_tiles_of_products_state_it_before_the_angles_of_views(tmp_path):
    angles = (
        "<Tile><Sun_Angles_Grid><Zenith><VALUES>1 2</VALUES></Zenith></Sun_Angles_Grid><Mean_Sun_Angle>"
        '<ZENITH_ANGLE unit="deg">30</ZENITH_ANGLE><AZIMUTH_ANGLE unit="deg">151.5</AZIMUTH_ANGLE></Mean_Sun_Angle>'
        "<Mean_Viewing_Incidence_Angle><ZENITH_ANGLE>9</ZENITH_ANGLE><AZIMUTH_ANGLE>100</AZIMUTH_ANGLE>"
        "</Mean_Viewing_Incidence_Angle></Tile>"
    )
    for day in ("2021-06-01", "2021-06-06"):
        product = write_product(tmp_path, day, bands={"B02": 10, "B11": 20})
        if day.endswith("1"):
            next(product.rglob("MTD_TL.xml")).write_text(angles)
    assert suns_in(tmp_path) == [Sun(151.5, 60.0), None]


def test_a_real_tile_states_it(shared_data):
    path = next((shared_data / "formats/safe").rglob("MTD_TL.xml"))
    sun = read_sun(path, name=path.name)
    assert sun is not None
    assert (round(sun.azimuth_deg, 2), round(sun.elevation_deg, 2)) == (172.84, 32.18)


def test_variables_of_cubes_state_it(tmp_path):
    days = np.array(["2021-06-01", "2021-06-06", "2021-06-11"], dtype="datetime64[ns]")
    along = np.arange(SIDE, dtype=float) * 10
    cube = xr.Dataset(
        {
            "B02": (("time", "y", "x"), np.full((3, SIDE, SIDE), 500, np.uint16)),
            "sunAzimuthAngles": (("time",), np.array([150, 151, 0], np.float32), {"_FillValue": np.float32(0)}),
            "sunZenithAngles": (("time",), np.array([30, 31, 0], np.float32), {"_FillValue": np.float32(0)}),
            "crs": ((), 0, {"spatial_ref": "EPSG:32631"}),
        },
        coords={"time": days, "y": 5_600_000 - along, "x": 600_000 + along},
        attrs={"crs": "EPSG:32631"},
    )
    cube.B02.attrs["grid_mapping"] = "crs"
    assert suns_in(to_netcdf(cube, tmp_path / "cube.nc")) == [Sun(150.0, 60.0), Sun(151.0, 59.0), None]
