"""Opens a result: its images, or its cube where it has no images, with the figures of its report."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from seq2seq.errors import MissingDataError
from seq2seq.extras import naming_extra
from seq2seq.products import DECLOUDED, NETCDF, PRODUCTS, REPORT, ZARR, ZARR_ZIP, Product
from seq2seq.products.base import DATE
from seq2seq.results import accessor
from seq2seq.results.images import Decoding, ImageStack
from seq2seq.sequence import coordinates_of, crs_name

# How a file states what its values are; see `seq2seq.products.declouded`.
_REFLECTANCE = re.compile(r"value x (\S+) \+ (\S+)")
_ON_GRID = {"grid_mapping": "spatial_ref"}

assert accessor  # importing it gives datasets their `.decloud`


def open(path: Path | str) -> xr.Dataset:
    """Opens the result in the folder `path`: reflectance, uncertainty and cloud_mask on (time, band, y, x).

    Values are read when they are asked for, and only those that are. Spectral indices, where the run has written them,
    are variables on (time, y, x). Attributes hold the figures of the report; `.decloud` has pictures and series. Names,
    axes and values are the same whether the run has written images or cubes. Raises `MissingDataError` where the folder
    holds neither, `MissingExtraError` where a cube needs what is not installed.
    """
    folder = Path(path)
    dates = _dates(folder)
    dataset = _of_images(folder, dates) if dates else _of_cube(folder)
    return dataset.assign_attrs(_figures(folder))


def _dates(folder: Path) -> list[str]:
    """Those of which the images are there."""
    name = DECLOUDED.files[0].path.rpartition("/")[2]
    files = sorted((folder / DECLOUDED.files[0].path).parent.glob(name.replace(DATE, "*")))
    relative = (file.relative_to(folder).as_posix() for file in files)
    return [Path(path).stem for path in relative if DECLOUDED.files[0].is_at(path)]


def _of_images(folder: Path, dates: list[str]) -> xr.Dataset:
    with rasterio.open(folder / DECLOUDED.files[0].at(dates[0])) as image:
        geobox, bands = GeoBox.from_rio(image), tuple(image.descriptions)
    variables: dict[str, xr.Variable] = {}
    for product in PRODUCTS:
        paths = [folder / product.files[0].at(date) for date in dates]
        if product.raster and all(path.exists() for path in paths):
            variables |= _variables(product, paths, bands)
    days = np.array(dates, dtype="datetime64[D]")
    return xr.Dataset(variables, coords=coordinates_of(days, bands, geobox), attrs={"crs": crs_name(geobox)})


def _variables(product: Product, paths: list[Path], bands: tuple[str, ...]) -> dict[str, xr.Variable]:
    """As a cube has them: one where the files have the bands of the images, else one for each of their own bands."""
    with rasterio.open(paths[0]) as image:
        names, grid, decoding = tuple(image.descriptions), image.shape, _decoding(image)
    about = {"long_name": product.title, **_ON_GRID}
    if names == bands:
        stack = ImageStack(paths, range(1, len(bands) + 1), grid, decoding)
        return {product.variable or product.name: stack.variable(about, banded=True)}
    return {
        name: ImageStack(paths, [number], grid, decoding).variable(about, banded=False)
        for number, name in enumerate(names, start=1)
    }


def _decoding(image: Any) -> Decoding:
    """Reflectance as the file's tag says it: the input's own scale, which files repeat, may be missing."""
    stated = _REFLECTANCE.fullmatch(image.tags().get("REFLECTANCE", ""))
    return Decoding("float32", float(stated[1]), float(stated[2])) if stated else Decoding(image.dtypes[0])


def _of_cube(folder: Path) -> xr.Dataset:
    """The first that is there."""
    for product, opened in ((ZARR, _open_zarr), (ZARR_ZIP, _open_zipped), (NETCDF, _open_netcdf)):
        if (folder / product.path).exists():
            with naming_extra():
                dataset = opened(folder / product.path)
            return dataset.assign_attrs(crs=_crs_of(dataset))
    raise MissingDataError(f"{folder}: holds no result of decloud: neither {DECLOUDED.path} nor a cube is there")


def _crs_of(dataset: xr.Dataset) -> str:
    reference = dataset.spatial_ref.attrs
    affine = Affine.from_gdal(*map(float, str(reference["GeoTransform"]).split()))
    return crs_name(GeoBox((dataset.sizes["y"], dataset.sizes["x"]), affine, reference["crs_wkt"]))


def _open_zarr(path: Path) -> xr.Dataset:
    import zarr

    assert zarr
    return xr.open_dataset(path, engine="zarr", chunks=None)


def _open_zipped(path: Path) -> xr.Dataset:
    from zarr.storage import ZipStore

    return xr.open_dataset(ZipStore(path, mode="r"), engine="zarr", chunks=None)


def _open_netcdf(path: Path) -> xr.Dataset:
    import h5netcdf

    assert h5netcdf
    return xr.open_dataset(path, engine="h5netcdf")


def _figures(folder: Path) -> dict[str, Any]:
    """What the report says, in short; nothing where it was not downloaded."""
    try:
        report = json.loads((folder / REPORT.path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    proof, gain = report["holdout"], report["holdout"]["gain"] or {}
    figures = {
        "title": "Cloud-free Sentinel-2 sequence" + (" (simulated data)" if report["input"]["simulated"] else ""),
        "source": f"decloud {report['version']}, method {report['method']}, seed {report['seed']}",
        "created": report["created"],
        "input": report["input"]["name"],
        "gain_over_linear_low_db": gain.get("low_db"),
        "gain_over_linear_high_db": gain.get("high_db"),
        "coverage_90": proof["coverage_90"],
        "held_out_pixels": proof["pixels"],
    }
    return {name: value for name, value in figures.items() if value is not None}
