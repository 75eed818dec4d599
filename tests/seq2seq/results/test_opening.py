"""A result opens as a dataset that reads what is asked for, the same from images and from cubes."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  registers `.rio`
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from quick_engine import use_schedule
from sequence_files import DATES, s2_dn, write_sequence, write_tif

import decloud
from seq2seq.errors import MissingDataError, MissingExtraError
from seq2seq.products.choosing import formats
from seq2seq.results.images import Decoding, ImageStack
from seq2seq.run.pipeline import run

CONFIG = decloud.ReconstructionConfig(method="linear", perceptual="off", device="cpu")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opened") / "fields"
    masks = np.zeros((5, 40, 52), dtype=bool)
    for t in range(5):
        masks[t, 5 * t : 5 * t + 15, 10:40] = True
    write_sequence(folder, s2=s2_dn(5, 4, 40, 52), masks=masks)
    with pytest.MonkeyPatch.context() as patch:
        use_schedule(patch)
        return run(folder, folder.with_name("out"), CONFIG.replace(format=",".join(formats())))


def without(result: Path, folder: Path, *names: str) -> Path:
    return Path(shutil.copytree(result, folder / "copy", ignore=shutil.ignore_patterns(*names)))


def test_values_are_those_of_the_files(result: Path) -> None:
    dataset = decloud.open(result)
    for t, date in enumerate(DATES):
        with rasterio.open(result / "declouded" / f"{date}.tif") as image:
            assert dataset.reflectance.values[t] == pytest.approx(image.read() * 1e-4, abs=1e-7)
            assert dataset.reflectance.rio.transform() == image.transform
            assert dataset.rio.crs == image.crs
        for name in ("uncertainty", "cloud_mask"):
            with rasterio.open(result / name / f"{date}.tif") as image:
                assert np.array_equal(np.atleast_3d(dataset[name].values[t]), np.atleast_3d(image.read().squeeze()))
    assert [str(day)[:10] for day in dataset.time.values] == list(DATES)


@pytest.mark.parametrize("kept", ["cube.nc", "cube.zarr", "cube.zarr.zip"])
def test_a_cube_opens_as_the_same_dataset(result: Path, tmp_path: Path, kept: str) -> None:
    cubes = {"cube.nc", "cube.zarr", "cube.zarr.zip"} - {kept}
    images, cube = decloud.open(result), decloud.open(without(result, tmp_path, "declouded", *cubes))
    assert set(images.variables) <= set(cube.variables)
    for name in images.data_vars:
        assert images[name].dims == cube[name].dims
        assert np.abs(images[name].values.astype(float) - cube[name].values).max() < 1e-7
    assert images.attrs.items() <= cube.attrs.items()
    assert images.attrs["crs"] == "EPSG:32631"
    assert cube.decloud.rgb(DATES[1]).equals(images.decloud.rgb(DATES[1]))


def test_figures_of_the_report_are_attributes(result: Path, tmp_path: Path) -> None:
    copy = without(result, tmp_path)
    report = json.loads((copy / "report.json").read_text())
    report["holdout"]["gain"] = {"low_db": 1.5, "high_db": 4.5, "measured_db": 3.0, "dates": 2, "pixels": 9}
    (copy / "report.json").write_text(json.dumps(report))
    attributes = decloud.open(copy).attrs
    assert (attributes["gain_over_linear_low_db"], attributes["gain_over_linear_high_db"]) == (1.5, 4.5)
    assert "method linear" in attributes["source"]
    assert attributes["created"] == report["created"]


def test_a_download_of_images_alone_opens_as_well(result: Path, tmp_path: Path) -> None:
    names = ("report.*", "uncertainty", "cloud_mask", "cube*", "stac")
    dataset = decloud.open(without(result, tmp_path, *names))
    assert list(dataset.data_vars) == ["reflectance"]
    assert dataset.attrs == {"crs": "EPSG:32631"}


@pytest.mark.parametrize("made", ["nothing", "empty", "input"])
def test_a_folder_that_is_no_result_is_one_line(made: str, tmp_path: Path) -> None:
    if made != "nothing":
        (tmp_path / "other" / ("S2" if made == "input" else "")).mkdir(parents=True)
    with pytest.raises(MissingDataError, match=r"other: holds no result of decloud"):
        decloud.open(tmp_path / "other")


def test_a_cube_says_what_it_needs(result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = without(result, tmp_path, "declouded", "cube.zarr*")
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    with pytest.raises(MissingExtraError, match=r"decloud\[xarray\]"):
        decloud.open(copy)


def test_nothing_is_read_before_it_is_asked_for(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, int]] = []
    original = ImageStack._read_date

    def counted(self: ImageStack, path: Path, numbers: Any, rows: Any, columns: Any) -> Any:
        read.append((path.name, len(numbers) * len(rows) * len(columns)))
        return original(self, path, numbers, rows, columns)

    monkeypatch.setattr(ImageStack, "_read_date", counted)
    dataset = decloud.open(result)
    chosen = dataset.reflectance.sel(band="B04").isel(time=[1, 3], y=slice(4, 9), x=7)
    assert read == []
    chosen.load()
    assert read == [(f"{DATES[1]}.tif", 5), (f"{DATES[3]}.tif", 5)]


axis_keys = st.one_of(
    st.integers(-3, 2),
    # xarray itself stumbles over empty slices with a negative step.
    st.slices(3).filter(lambda part: (part.step or 1) > 0 or len(range(*part.indices(3))) > 0),
    st.lists(st.integers(0, 2), max_size=4).map(lambda chosen: np.array(chosen, dtype=int)),
)


@settings(deadline=None, max_examples=60)
@given(keys=st.tuples(axis_keys, axis_keys, axis_keys, axis_keys))
def test_whatever_is_chosen_is_what_numpy_would_give(keys: tuple[Any, ...], stack: tuple[xr.DataArray, Any]) -> None:
    lazy, values = stack
    chosen = lazy.isel(dict(zip(lazy.dims, keys, strict=True)))
    expected = xr.DataArray(values, dims=lazy.dims).isel(dict(zip(lazy.dims, keys, strict=True)))
    assert chosen.dims == expected.dims
    assert np.array_equal(chosen.values, expected.values)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> tuple[xr.DataArray, Any]:
    """Three dates, bands, rows and columns."""
    folder = tmp_path_factory.mktemp("stack")
    values = np.arange(81, dtype=np.uint16).reshape(3, 3, 3, 3)
    paths = [write_tif(folder / f"{t}.tif", values[t]) for t in range(3)]
    lazy = ImageStack(paths, (1, 2, 3), (3, 3), Decoding("uint16")).variable({}, banded=True)
    return xr.DataArray(lazy), values


def test_pictures_have_one_stretch_for_all_dates(result: Path) -> None:
    dataset = decloud.open(result)
    first, other = (dataset.decloud.rgb(date) for date in (DATES[0], np.datetime64(DATES[1])))
    assert first.dims == ("y", "x", "rgb")
    assert first.dtype == np.uint8
    assert first.attrs["bands"] == "B04 B03 B02"
    red = dataset.reflectance.sel(band="B04").values
    # Pixels of the same reflectance have the same colour, whatever their date.
    pairs = [(a, b) for a in range(0, 40, 7) for b in range(0, 52, 9)]
    same = [(p, q) for p in pairs for q in pairs if abs(red[0][p] - red[1][q]) < 1e-9]
    assert all(first.values[p][0] == other.values[q][0] for p, q in same)


def test_an_opened_result_is_drawn_from_images_and_cubes_alike(result: Path, tmp_path: Path) -> None:
    dataset = decloud.open(result)
    large, sheet = dataset.decloud.plot(DATES[0]), dataset.decloud.plot()
    assert large.width > 3 * 52
    assert large._repr_png_()
    assert dataset.decloud.plot(DATES[0], bands="ndvi").tobytes() != large.tobytes()
    cube = without(result, tmp_path, "declouded", "cube.zarr", "cube.zarr.zip")
    assert decloud.open(cube).decloud.plot().tobytes() == sheet.tobytes()
    with pytest.raises(MissingDataError, match=r"2020-08-02 is no date of this result.*nearest is 2020-08-01"):
        dataset.decloud.plot("2020-08-02")
    with pytest.raises(MissingDataError, match="'s1': this result has"):
        dataset.decloud.plot(bands="s1")


def test_a_part_of_a_result_is_drawn_without_uncertainty(result: Path, tmp_path: Path) -> None:
    shutil.copytree(result / "declouded", tmp_path / "declouded")
    whole, part = decloud.open(result).decloud.plot(DATES[0]), decloud.open(tmp_path).decloud.plot(DATES[0])
    assert part.width < whole.width


def test_a_series_is_that_of_the_pixel_that_holds_the_point(result: Path) -> None:
    dataset = decloud.open(result)
    with rasterio.open(result / "declouded" / f"{DATES[0]}.tif") as image:
        left, bottom, right, top = image.bounds
        row, column = image.index(600_101, 5_599_899)
    series = dataset.decloud.series(600_101, 5_599_899)
    assert set(series.data_vars) == {"reflectance", "uncertainty", "cloud_mask"}
    assert np.array_equal(series.reflectance.values, dataset.reflectance.values[:, :, row, column])
    for x, y in ((left - 1, top - 5), (right + 1, top - 5), (left + 5, top + 1), (left + 5, bottom - 1)):
        with pytest.raises(MissingDataError, match="lies outside the scene"):
            dataset.decloud.series(x, y)
    dataset.decloud.series(left, top)  # the very corner is inside


@pytest.mark.parametrize("date", ["2020-08-02", "yesterday", None])
def test_another_date_is_one_line_that_names_those_there_are(result: Path, date: Any) -> None:
    with pytest.raises(MissingDataError, match="is no date of this result, which has 2020-08-01"):
        decloud.open(result).decloud.rgb(date)
