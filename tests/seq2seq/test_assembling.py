"""What formats find becomes sequences: bands stacked, pieces joined, one grid; and it says what was done."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from seq2seq.errors import MisalignedGridsError, MissingDataError
from seq2seq.readers.assembling import assemble, common_grid
from seq2seq.readers.contents import Header, Window
from seq2seq.readers.layers import Layer

UTM = "EPSG:32631"
PASS_DAYS = ("2023-05-01", "2023-05-04", "2023-05-06")


@dataclass(frozen=True)
class ArrayRaster:
    header: Header
    pixels: Any

    def read(self, window: Window) -> Any:
        return self.pixels[:, *window.slices]


def box(size=(40, 40), gsd=10.0, left=600_000.0, top=5_600_000.0, crs=UTM):
    return GeoBox(size, Affine(gsd, 0, left, 0, -gsd, top), crs)


def layer(sensor, day, bands, pixels, geobox, *, orbit="", name=None, nodata=None, scale=1.0):
    header = Header(
        name=name or f"{day}_{'_'.join(bands)}.tif",
        date=np.datetime64(day, "D"),
        geobox=geobox,
        dtype=str(pixels.dtype),
        descriptions=tuple(bands),
        nodata=nodata,
        scales=(scale,) * len(bands),
        offsets=(0.0,) * len(bands),
        chunk=(16, 16),
        orbit=orbit,
    )
    return Layer(sensor, ArrayRaster(header, pixels))


def dn(count, geobox, seed=0, low=300):
    return np.random.default_rng(seed).integers(low, 3000, (count, *geobox.shape)).astype(np.uint16)


def whole(raster):
    height, width = raster.header.geobox.shape
    return raster.read(Window(0, height, 0, width))


def gathered(*layers, **more):
    return assemble(layers, name="input", fingerprint="0", **more)


def test_bands_of_a_day_in_files_of_their_own_are_stacked_in_the_order_of_sentinel_2():
    grid = box()
    red, blue = dn(1, grid, 1), dn(1, grid, 2)
    layers = [
        layer("S2", day, (band,), pixels, grid)
        for day in ("2020-01-01", "2020-01-06")
        for band, pixels in (("B04", red), ("B02", blue))
    ]
    contents = gathered(*layers)
    assert [raster.header.descriptions for raster in contents.s2] == [("B02", "B04")] * 2
    assert np.array_equal(whole(contents.s2[0]), np.concatenate([blue, red]))
    assert contents.s2[0].header.dtype == "uint16"
    assert not contents.warnings


def test_bands_of_20_m_come_to_the_grid_of_10_m_and_it_is_said():
    fine, coarse = box(), box((20, 20), 20.0)
    ramp = np.broadcast_to(np.arange(20) * 100 + 1000, (1, 20, 20)).astype(np.uint16)
    layers = [
        layer("S2", day, (band,), pixels, grid)
        for day in ("2020-01-01", "2020-01-06")
        for band, pixels, grid in (("B04", dn(1, fine), fine), ("B05", ramp, coarse))
    ]
    contents = gathered(*layers)
    image = whole(contents.s2[0])
    assert contents.s2[0].header.geobox == fine
    # a ramp of 100 a pixel of 20 m is one of 50 a pixel of 10 m
    assert np.abs(np.diff(image[1][:, 2:-2].astype(int), axis=1) - 50).max() <= 1
    assert np.array_equal(image[0], layers[0].raster.pixels[0])
    assert any("B05" in warning and "20 m" in warning for warning in contents.warnings)


def test_a_window_of_what_was_resampled_equals_the_crop_of_the_whole():
    fine, coarse = box(), box((11, 13), 30.0, left=600_070.0, top=5_599_950.0)
    layers = [
        layer("S2", day, (band,), pixels, grid)
        for day in ("2020-01-01", "2020-01-06")
        for band, pixels, grid in (("B04", dn(1, fine), fine), ("B05", dn(1, coarse), coarse))
    ]
    raster = gathered(*layers).s2[0]
    crop = Window(3, 21, 15, 33)
    assert np.array_equal(raster.read(crop), whole(raster)[:, *crop.slices])


def test_pieces_of_a_day_lie_side_by_side_and_the_first_counts_where_two_hold_data():
    left, right = box((40, 30)), box((40, 30), left=600_200.0)
    first, second = dn(2, left, 1), dn(2, right, 2)
    first[:, :, -5:] = 0
    layers = [
        layer("S2", day, ("B02", "B03"), pixels, grid, name=name)
        for day in ("2020-01-01", "2020-01-06")
        for pixels, grid, name in ((first, left, "west.tif"), (second, right, "east.tif"))
    ]
    contents = gathered(*layers)
    image = whole(contents.s2[0])
    assert image.shape == (2, 40, 50)
    assert np.array_equal(image[:, :, :25], first[:, :, :25])
    assert np.array_equal(image[:, :, 25:], second[:, :, 5:])
    assert any("put together" in warning for warning in contents.warnings)


def test_a_date_of_the_neighbouring_utm_zone_is_warped_and_it_is_said():
    here = box()
    x, y = here.crs.transformer_to_crs(CRS("EPSG:32632"))(600_000.0, 5_600_000.0)
    there = box((60, 60), left=round(x) - 100.0, top=round(y) + 100.0, crs="EPSG:32632")
    flat = np.full((1, *there.shape), 1234, np.uint16)
    contents = gathered(
        layer("S2", "2020-01-01", ("B02",), dn(1, here), here),
        layer("S2", "2020-01-06", ("B02",), dn(1, here), here),
        layer("S2", "2020-01-11", ("B02",), flat, there),
    )
    image = whole(contents.s2[2])
    assert contents.s2[2].header.geobox.crs == here.crs
    assert set(np.unique(image)) <= {0, 1234}
    assert (image == 1234).mean() > 0.5
    assert any("EPSG:32632" in warning for warning in contents.warnings)


def test_of_a_band_in_several_resolutions_the_finest_is_taken():
    fine, coarse = box(), box((20, 20), 20.0)
    sharp = dn(1, fine, 3)
    layers = [
        layer("S2", day, ("B04",), pixels, grid)
        for day in ("2020-01-01", "2020-01-06")
        for pixels, grid in ((dn(1, coarse), coarse), (sharp, fine))
    ]
    contents = gathered(*layers)
    assert np.array_equal(whole(contents.s2[0]), sharp)
    assert not contents.warnings


def test_a_band_that_some_dates_lack_is_an_error_that_names_band_and_date():
    grid = box()
    days = ("2020-01-01", "2020-01-06", "2020-01-11")
    layers = [layer("S2", day, ("B02", "B03"), dn(2, grid), grid) for day in days[:2]]
    with pytest.raises(MissingDataError, match=r"B03.*2 of 3 dates.*2020-01-11"):
        gathered(*layers, layer("S2", days[2], ("B02",), dn(1, grid), grid))


def test_a_band_of_few_dates_is_left_out_and_named():
    grid = box()
    days = ("2020-01-01", "2020-01-06", "2020-01-11")
    layers = [layer("S2", day, ("B02",), dn(1, grid), grid) for day in days[:2]]
    contents = gathered(*layers, layer("S2", days[2], ("B02", "B12"), dn(2, grid), grid))
    assert {raster.header.descriptions for raster in contents.s2} == {("B02",)}
    assert any("B12 (1 of 3 dates)" in warning for warning in contents.warnings)


def test_whole_numbers_and_reflectance_in_one_sequence_become_reflectance():
    grid = box()
    pixels = dn(1, grid)
    contents = gathered(
        layer("S2", "2020-01-01", ("B02",), pixels, grid),
        layer("S2", "2020-01-06", ("B02",), (pixels / 10_000).astype(np.float32), grid),
    )
    first, second = (whole(raster) for raster in contents.s2)
    assert first.dtype == second.dtype == np.float32
    assert np.allclose(first, second, atol=1e-6)


def test_masks_of_several_kinds_are_joined_and_cover_what_they_do_not_reach():
    grid, half = box(), box((20, 10), 20.0)
    opaque, shadow = np.zeros((1, 40, 40), np.uint8), np.zeros((1, 20, 10), np.uint8)
    opaque[0, :10], shadow[0, :, :2] = 1, 2
    days = ("2020-01-01", "2020-01-06")
    contents = gathered(
        *(layer("S2", day, ("B02",), dn(1, grid), grid) for day in days),
        layer("MASK", days[0], ("opaque",), opaque, grid),
        layer("MASK", days[0], ("shadow",), shadow, half),
    )
    mask = whole(contents.masks[0])[0] != 0
    assert mask[:10].all()
    assert mask[:, :4].all()
    assert mask[:, 20:].all()  # no shadow mask lies there
    assert not mask[12:, 6:18].any()


def test_of_two_passes_of_radar_a_day_the_frequent_orbit_is_used():
    grid = box()
    days = ("2020-01-01", "2020-01-06")
    power = np.full((1, 40, 40), 0.1, np.float32)
    contents = gathered(
        *(layer("S2", day, ("B02",), dn(1, grid), grid) for day in days),
        layer("S1", days[0], ("VV",), power * 2, grid, orbit="D110"),
        *(layer("S1", day, ("VV",), power, grid, orbit="A088") for day in days),
    )
    assert [raster.header.orbit for raster in contents.s1] == ["A088", "A088"]
    assert any("passed twice on 2020-01-01" in warning for warning in contents.warnings)


def test_polarisations_in_files_of_their_own_are_one_acquisition():
    grid = box()
    days = ("2020-01-01", "2020-01-06")
    power = np.full((1, 40, 40), 0.1, np.float32)
    contents = gathered(
        *(layer("S2", day, ("B02",), dn(1, grid), grid) for day in days),
        *(layer("S1", day, (band,), power * at, grid) for day in days for at, band in ((1, "VH"), (2, "VV"))),
    )
    assert contents.s1[0].header.descriptions == ("VV", "VH")
    assert np.allclose(whole(contents.s1[0])[:, 0, 0], [0.2, 0.1])


def test_pieces_that_lie_a_world_apart_are_refused_with_both_places():
    here, there = box(), box(left=900_000.0, top=9_000_000.0)
    layers = [layer("S2", "2020-01-01", ("B02",), dn(1, grid), grid) for grid in (here, there)]
    with pytest.raises(MisalignedGridsError, match="too far apart"):
        common_grid(layers, name="input")


def test_an_input_without_s2_is_refused():
    grid = box()
    with pytest.raises(MissingDataError, match="no Sentinel-2"):
        gathered(layer("S1", "2020-01-01", ("VV",), np.zeros((1, 40, 40), np.float32), grid))


def three_dates(*more):
    grid = box()
    pixels = np.full((1, *grid.shape), 800, np.uint16)
    return [layer("S2", day, ("B04",), pixels, grid, orbit="D051") for day in PASS_DAYS] + list(more)


def test_the_orbit_with_more_dates_lies_on_top_in_whatever_order_the_files_come():
    other = layer("S2", PASS_DAYS[1], ("B04",), np.full((1, 40, 40), 1500, np.uint16), box(), orbit="D094")
    for layers in (three_dates(other), [other, *three_dates()]):
        contents = gathered(*layers)
        assert len(contents.s2) == 3
        assert (whole(contents.s2[1]) == 800).all()
        assert any("2023-05-04 (D051 over D094)" in line for line in contents.warnings)
        assert not any("put together" in line for line in contents.warnings)


def test_the_other_pass_fills_where_the_first_has_no_data_and_masks_follow():
    grid = box()
    half = np.full((1, 40, 40), 900, np.uint16)
    half[:, :, :20] = 0
    clear, cloudy = np.zeros((1, 40, 40), np.uint8), np.ones((1, 40, 40), np.uint8)
    layers = [
        layer("S2", "2023-05-01", ("B04",), half, grid, orbit="D051", nodata=0),
        layer("S2", "2023-05-04", ("B04",), np.full_like(half, 1500), grid, orbit="D094", nodata=0),
        layer("S2", "2023-05-04", ("B04",), half, grid, orbit="D051", nodata=0),
        layer("MASK", "2023-05-04", ("cloud",), cloudy, grid, orbit="D094"),
        layer("MASK", "2023-05-04", ("cloud",), clear, grid, orbit="D051"),
    ]
    contents = gathered(*layers)
    image = whole(contents.s2[1])
    assert (image[:, :, :20] == 1500).all()
    assert (image[:, :, 20:] == 900).all()
    assert not whole(contents.masks[0]).any()


def test_pieces_of_one_pass_are_no_second_pass():
    beside = layer("S2", PASS_DAYS[1], ("B04",), np.full((1, 40, 40), 1500, np.uint16), box(), orbit="D051")
    contents = gathered(*three_dates(beside))
    assert not any("passed more than once" in line for line in contents.warnings)
    assert any("put together" in line for line in contents.warnings)
