"""COGs are valid by rio-cogeo's rules, and say of each band what viewers ask: colour, wavelength, statistics."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate
from rio_cogeo.models import Info
from simulated_result import write_result

from seq2seq.bands import BAND_SETS, L1C, S2_BANDS
from seq2seq.products.base import RasterProfile
from seq2seq.writers.cog import write_cog


def write(path: Path, bands: tuple[str, ...], dtype: str = "uint16", size: tuple[int, int] = (40, 50)) -> Path:
    pixels = (np.random.default_rng(0).random((len(bands), *size)) * 200).astype(dtype)
    geobox = GeoBox(size, Affine(10, 0, 600_000, 0, -10, 5_620_000), "EPSG:32631")
    profile = RasterProfile(dtype, bands, nodata=0)
    write_cog(path, [(Window(0, 0, size[1], size[0]), pixels)], geobox=geobox, profile=profile)
    with rasterio.open(path) as image:
        assert np.array_equal(image.read(), pixels)
    return path


@pytest.mark.parametrize("size", [(1, 1), (40, 50), (511, 513), (1100, 1300)])
@pytest.mark.parametrize("dtype", ["uint16", "float32", "uint8"])
def test_a_file_is_valid_without_an_error_or_a_warning(tmp_path: Path, size: tuple[int, int], dtype: str) -> None:
    path = write(tmp_path / "a.tif", ("B02", "B03", "B04", "B08"), dtype, size)
    assert cog_validate(path, strict=True) == (True, [], [])


def test_every_image_of_a_result_is_valid(tmp_path: Path) -> None:
    write_result(tmp_path, dates=2, config={})
    files = sorted(tmp_path.rglob("*.tif"))
    assert len(files) == 6
    assert {path: cog_validate(path, strict=True) for path in files} == dict.fromkeys(files, (True, [], []))


@pytest.mark.parametrize("bands", list(BAND_SETS.values()), ids=list(BAND_SETS))
def test_red_green_and_blue_are_those_of_the_sensor(tmp_path: Path, bands: tuple[str, ...]) -> None:
    with rasterio.open(write(tmp_path / "a.tif", bands)) as image:
        assert image.descriptions == bands
        colours = dict(zip(image.descriptions, image.colorinterp, strict=True))
    assert (colours["B04"], colours["B03"], colours["B02"]) == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    assert colours["B08"] is ColorInterp.nir
    assert ColorInterp.alpha not in colours.values()


@pytest.mark.parametrize("bands", list(itertools.permutations(("B02", "B03", "B04"))), ids="-".join)
def test_the_order_of_the_bands_does_not_matter(tmp_path: Path, bands: tuple[str, ...]) -> None:
    with rasterio.open(write(tmp_path / "a.tif", (*bands, "B08"), "uint8")) as image:
        assert [each.name for each in image.colorinterp] == [*(S2_BANDS[name].colour for name in bands), "nir"]


def test_each_band_has_its_centre_wavelength(tmp_path: Path) -> None:
    with rasterio.open(write(tmp_path / "a.tif", L1C)) as image:
        found = [image.tags(index, ns="IMAGERY")["CENTRAL_WAVELENGTH_UM"] for index in range(1, 14)]
    assert [float(text) * 1000 for text in found] == pytest.approx([S2_BANDS[name].wavelength_nm for name in L1C])
    assert found[0] == "0.4427"


def test_bands_of_no_sensor_have_neither_colour_nor_wavelength(tmp_path: Path) -> None:
    with rasterio.open(write(tmp_path / "a.tif", ("NDVI", "NDVI_sigma"), "float32")) as image:
        assert {each.name for each in image.colorinterp} == {"gray", "undefined"}
        assert image.tags(1, ns="IMAGERY") == {}


def test_statistics_are_there_without_a_file_beside(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ("B04", "B08"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tif"]
    with rasterio.open(path) as image:
        for index in (1, 2):
            values = image.read(index, masked=True)
            assert float(image.tags(index)["STATISTICS_MEAN"]) == pytest.approx(values.mean())


def test_large_images_have_overviews_down_to_one_tile(tmp_path: Path) -> None:
    from rio_cogeo.cogeo import cog_info

    info: Info = cog_info(str(write(tmp_path / "a.tif", ("B04", "B08"), size=(1100, 1300))))
    assert [(level.Width, level.Height) for level in info.IFD] == [(1300, 1100), (650, 550), (325, 275)]
