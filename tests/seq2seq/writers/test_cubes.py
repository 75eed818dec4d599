"""Cubes hold the very values of the images, open in others' programs with grid, dates and bands, and come whole."""

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  registers `.rio`
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from quick_engine import use_schedule
from sequence_files import DATES, s2_dn, write_sequence
from zarr.storage import ZipStore

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, MissingExtraError, OutputError, Stopped
from seq2seq.products.choosing import formats
from seq2seq.run.pipeline import run
from seq2seq.writers import partial_of
from seq2seq.writers.cubes import CUBES, Cube, CubeLayout, Variable, base

CONFIG = ReconstructionConfig(method="linear", perceptual="off", device="cpu", tile_px=40, overlap_px=8)
CUBE_FORMATS = [cube.product.format for cube in CUBES]


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 x 90 pixels in four bands, with clouds that move."""
    folder = tmp_path_factory.mktemp("cubes") / "fields"
    masks = np.zeros((5, 70, 90), dtype=bool)
    for t in range(5):
        masks[t, 10 * t : 10 * t + 25, 20:70] = True
    return Path(write_sequence(folder, s2=s2_dn(5, 4, 70, 90), masks=masks))


@pytest.fixture(scope="module")
def result(sequence: Path) -> Path:
    """With every format there is, in several tiles and, of blocks that are made small, in several of them."""
    with pytest.MonkeyPatch.context() as patch:
        use_schedule(patch)
        make_blocks_small(patch)
        return run(sequence, sequence.with_name("all"), CONFIG.replace(format=",".join(formats())))


def make_blocks_small(patch: pytest.MonkeyPatch) -> None:
    """Two chunks of 32 x 32 pixels at a time."""
    patch.setattr(base, "BLOCK_BYTES", 2 * 4 * 5 * 4 * 32**2)
    patch.setattr(base, "MOST_SIDE_PX", 32)


def opened(path: Path, **options: Any) -> xr.Dataset:
    if path.suffix == ".nc":
        return xr.open_dataset(path, engine="h5netcdf", **options)
    store = ZipStore(path, mode="r") if path.suffix == ".zip" else path
    return xr.open_dataset(store, engine="zarr", chunks=None, **options)


@pytest.fixture(params=CUBES, ids=lambda cube: cube.product.name)
def cube(request: pytest.FixtureRequest, result: Path) -> Iterator[xr.Dataset]:
    with opened(result / request.param.product.path) as dataset:
        yield dataset


def images(result: Path, folder: str) -> np.ndarray:
    """(T, C, H, W) as stored."""
    found = []
    for date in DATES:
        with rasterio.open(result / folder / f"{date}.tif") as image:
            found.append(image.read())
    return np.stack(found)


def test_a_cube_holds_the_values_of_the_images(cube: xr.Dataset, result: Path) -> None:
    assert np.array_equal(cube.reflectance.values, images(result, "declouded") * 1e-4)
    assert np.array_equal(cube.uncertainty.values, images(result, "uncertainty"))
    assert np.array_equal(cube.cloud_mask.values, images(result, "cloud_mask")[:, 0])
    assert cube.uncertainty.values.any()


def test_a_cube_knows_its_grid_dates_and_bands(cube: xr.Dataset, result: Path) -> None:
    with rasterio.open(result / "declouded" / f"{DATES[0]}.tif") as image:
        for variable in (cube.reflectance, cube.uncertainty, cube.cloud_mask):
            assert variable.rio.crs == image.crs
            assert variable.rio.transform() == image.transform
        assert (cube.x.values[0], cube.y.values[0]) == image.xy(0, 0)
    assert [str(day) for day in cube.time.values.astype("datetime64[D]")] == list(DATES)
    assert cube.band.values.tolist() == ["B02", "B03", "B04", "B08"]
    assert cube.wavelength.values.tolist() == [492.4, 559.8, 664.6, 832.8]
    assert cube.reflectance.dims == cube.uncertainty.dims == ("time", "band", "y", "x")
    assert cube.attrs["source"].endswith("method linear, seed 0")


def test_variables_say_what_they_hold_in_the_terms_of_cf(result: Path) -> None:
    with opened(result / "cube.nc", decode_cf=False) as raw:
        assert raw.reflectance.dtype == np.uint16
        assert raw.reflectance.attrs["scale_factor"] == 1e-4
        assert "add_offset" not in raw.reflectance.attrs
        assert raw.reflectance.attrs["units"] == "1"
        assert raw.cloud_mask.attrs["flag_values"].dtype == raw.cloud_mask.dtype
        assert raw.time.attrs["units"] == f"days since {DATES[0]}"
        assert raw.spatial_ref.attrs["grid_mapping_name"] == "transverse_mercator"


def test_an_offset_of_the_input_is_that_of_the_cube(tmp_path: Path) -> None:
    dn = s2_dn(2, 4, 20, 20) + 1000
    for t, day in enumerate(DATES[:2]):
        write_sequence(tmp_path / "in", s2=dn[t : t + 1], dates=[day])
    for path in (tmp_path / "in").rglob("*.tif"):
        with rasterio.open(path, "r+") as image:
            image.scales, image.offsets = (1e-4,) * 4, (-0.1,) * 4
    out = run(tmp_path / "in", tmp_path / "out", CONFIG.replace(format="netcdf,zarr", cloud_detector="rules"))
    for name in ("cube.nc", "cube.zarr"):
        with opened(out / name) as dataset:
            assert dataset.reflectance.encoding["add_offset"] == pytest.approx(-0.1)
            clear = dataset.cloud_mask.values[:, None] == 0
            assert clear.any()
            assert np.abs(np.where(clear, dataset.reflectance.values - (dn * 1e-4 - 0.1), 0)).max() < 1e-9


def test_series_lie_together(result: Path) -> None:
    with opened(result / "cube.zarr") as dataset:
        assert dataset.reflectance.encoding["chunks"] == (5, 4, 32, 32)
        assert dataset.cloud_mask.encoding["chunks"] == (5, 32, 32)
    with opened(result / "cube.nc") as dataset:
        assert dataset.reflectance.encoding["chunksizes"] == (5, 1, 32, 32)
    metadata = json.loads((result / "cube.zarr" / "zarr.json").read_text())
    assert metadata["zarr_format"] == 3
    assert {"reflectance", "uncertainty", "cloud_mask"} < set(metadata["consolidated_metadata"]["metadata"])


def test_the_same_run_gives_the_same_bytes(sequence: Path, tmp_path: Path) -> None:
    again = run(sequence, tmp_path / "again", CONFIG.replace(format="netcdf,zarr.zip"))
    assert {entry.name for entry in again.iterdir()} == {
        *("cube.nc", "cube.zarr.zip", "stac", "preview.png", "report.json", "report.html")
    }
    third = run(sequence, tmp_path / "third", CONFIG.replace(format="zarr.zip,netcdf"))
    for name in ("cube.nc", "cube.zarr.zip"):
        assert (again / name).read_bytes() == (third / name).read_bytes()


def test_gdal_reads_the_netcdf_with_its_grid(result: Path) -> None:
    with rasterio.open(f"netcdf:{result / 'cube.nc'}:reflectance") as raster:
        assert raster.crs.to_epsg() == 32631
        assert raster.count == 20
        assert np.array_equal(raster.read().reshape(5, 4, 70, 90), images(result, "declouded"))


def test_a_result_of_a_cube_alone_says_so_everywhere(sequence: Path, tmp_path: Path) -> None:
    out = run(sequence, tmp_path / "out", CONFIG.replace(format="zarr"))
    assert not (out / "declouded").exists()
    report = json.loads((out / "report.json").read_text())
    assert "cube.zarr" in {file["path"] for file in report["files"]}
    assert "declouded/DATE.tif" not in {file["path"] for file in report["files"]}
    collection = json.loads((out / "stac" / "collection.json").read_text())
    assert collection["assets"]["zarr"]["href"] == "../cube.zarr"
    assert collection["extent"]["temporal"]["interval"] == [[f"{DATES[0]}T00:00:00Z", f"{DATES[-1]}T23:59:59Z"]]
    assert [link["rel"] for link in collection["links"]] == ["root"]


def test_a_stop_within_a_cube_shows_nothing_and_another_start_may_want_other_files(
    sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_blocks_small(monkeypatch)
    asked = iter([False] * 6 + [True])  # five dates and a block
    config, out = CONFIG.replace(format="cog,netcdf"), tmp_path / "out"
    phases: list[str] = []
    with pytest.raises(Stopped):
        run(sequence, out, config, should_stop=lambda: _phase(phases) == "writing" and next(asked),
            on_progress=lambda progress: phases.append(progress.phase))  # fmt: skip
    assert not out.exists()
    assert (partial_of(out) / "declouded").exists()
    phases.clear()
    run(sequence, out, config.replace(format="zarr.zip"), on_progress=lambda progress: phases.append(progress.phase))
    assert set(phases) == {"reading", "writing"}  # nothing was fitted again
    assert not (out / "declouded").exists()
    assert not list(out.rglob(".*"))


def _phase(phases: list[str]) -> str:
    return phases[-1] if phases else ""


@pytest.mark.parametrize("text", ["geotiff", "cog,tiff", "", " , "])
def test_what_is_no_format_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ConfigError, match=r"format is .*cog, netcdf, zarr"):
        CONFIG.replace(format=text)


def test_names_of_formats_may_be_written_in_any_case_and_twice() -> None:
    assert CONFIG.replace(format="Zarr, COG,zarr").outputs.formats == ("zarr", "cog")


@pytest.mark.parametrize(("name", "package"), [("netcdf", "h5netcdf"), ("zarr", "zarr")])
def test_what_is_not_installed_is_said_before_anything_is_read(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtraError, match=r"decloud\[xarray\]"):
        run(tmp_path / "nowhere", tmp_path / "out", CONFIG.replace(format=name))


@pytest.mark.parametrize("dates", [2, 30, 400])
@pytest.mark.parametrize("shape", [(33, 1), (300, 700), (1000, 5000)])
def test_blocks_cover_a_scene_once_and_are_bounded(dates: int, shape: tuple[int, int]) -> None:
    days = np.datetime64("2021-01-01") + np.arange(dates)
    grid = GeoBox(shape, Affine(10, 0, 0, 0, -10, 0), "EPSG:32631")
    layout = CubeLayout(days, tuple(f"b{n}" for n in range(13)), grid, ())
    side_px = layout.side_px(4 * 2**20, bands=13)
    assert side_px in (32, 64, 128, 256)
    covered = np.zeros(shape, dtype=int)
    for rows, columns in layout.blocks(side_px):
        assert rows.start % side_px == columns.start % side_px == 0
        covered[rows, columns] += 1
        size = dates * 13 * 4 * (rows.stop - rows.start) * (columns.stop - columns.start)
        assert size <= max(base.BLOCK_BYTES, dates * 13 * 4 * 32**2)
    assert (covered == 1).all()


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3035", "EPSG:32733", "+proj=aea +lat_1=20 +lat_2=-23 +lon_0=25"])
@pytest.mark.parametrize("cube", CUBES[:2], ids=lambda cube: cube.product.name)
def test_any_grid_is_found_again_by_others(crs: str, cube: Cube, tmp_path: Path) -> None:
    pixel = 1e-4 if crs == "EPSG:4326" else 10.0
    grid = GeoBox((33, 40), Affine(pixel, 0, 20, 0, -pixel, 10), crs)
    days = np.array(["2021-05-01", "2021-06-30"], dtype="datetime64[D]")
    variable = Variable("reflectance", "float32", True, {"grid_mapping": "spatial_ref", "coordinates": "spatial_ref"})
    layout = CubeLayout(days, ("B03", "B04"), grid, (variable,))
    whole = np.random.default_rng(0).random((2, 2, 33, 40)).astype(np.float32)
    path = tmp_path / cube.product.path
    cube.write(path, layout, lambda rows, columns: {"reflectance": whole[..., rows, columns]}, lambda: None)
    with opened(path) as dataset:
        assert dataset.rio.crs == rasterio.CRS.from_wkt(grid.crs.to_wkt())
        assert dataset.reflectance.rio.transform().almost_equals(grid.affine)
        assert np.array_equal(dataset.reflectance.values, whole)
        assert np.array_equal(dataset.time.values.astype("datetime64[D]"), days)


@pytest.mark.parametrize("cube", CUBES, ids=lambda cube: cube.product.name)
def test_a_disk_that_is_full_is_one_line_and_leaves_no_cube(
    cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_blocks_small(monkeypatch)
    grid = GeoBox((70, 70), Affine(10, 0, 0, 0, -10, 0), "EPSG:32631")
    variable = Variable("reflectance", "float32", True, {})
    layout = CubeLayout(np.array(["2021-05-01"], dtype="datetime64[D]"), ("B04",), grid, (variable,))
    blocks = iter([True, False])

    def read(rows: slice, columns: slice) -> Any:
        if not next(blocks):
            raise OSError(errno.ENOSPC, "No space left on device")
        shape = (1, 1, rows.stop - rows.start, columns.stop - columns.start)
        return {"reflectance": np.ones(shape, dtype=np.float32)}

    with pytest.raises(OutputError, match=r"cannot be written \(.*No space left on device.*MiB free\)"):
        cube.write(tmp_path / cube.product.path, layout, read, lambda: None)
    assert [entry.name for entry in tmp_path.iterdir()] in ([], ["cube.zarr"])  # a folder goes with OUT.partial
