"""Writes small cubes in the layouts that others publish, by the libraries that others write them with."""

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import xarray as xr
from numpy.typing import NDArray
from sequence_files import BANDS, DATES, HEIGHT, WIDTH

DAYS = np.array(DATES, dtype="datetime64[ns]")
X = 600_005.0 + 10 * np.arange(WIDTH)
Y = 5_599_995.0 - 10 * np.arange(HEIGHT)
WKT = pyproj.CRS(32631).to_wkt()


def mapping(**attributes: Any) -> xr.DataArray:
    """The variable that states the CRS."""
    return xr.DataArray(0, attrs={"crs_wkt": WKT, "spatial_ref": WKT, **attributes})


def cube(
    bands: dict[str, NDArray[Any]],
    *,
    times: Any = DAYS,
    time: str = "t",
    crs: str | None = "crs",
    y: Any = Y,
    x: Any = X,
) -> xr.Dataset:
    """(T, H, W) each, as a variable per band."""
    coords = {time: times, "y": y, "x": x}
    attributes = {"grid_mapping": crs} if crs else {}
    made = xr.Dataset({name: ((time, "y", "x"), values, attributes) for name, values in bands.items()}, coords)
    return made.assign({crs: mapping()}) if crs else made


def stacked(values: NDArray[Any], bands: tuple[str, ...] = BANDS, *, name: str = "stack", **options: Any) -> xr.Dataset:
    """(T, C, H, W) as one variable with a coordinate of bands."""
    parts = cube({band: values[:, index] for index, band in enumerate(bands)}, time="time", **options)
    crs = parts[["crs"]] if "crs" in parts else xr.Dataset()
    joined = parts[list(bands)].to_array("band", name=name).transpose("time", "band", "y", "x")
    joined.attrs["grid_mapping"] = "crs"
    return joined.to_dataset().merge(crs)


def coded(values: NDArray[np.uint16]) -> NDArray[np.int16]:
    """Unsigned numbers as a file holds them that knows no others."""
    return values.view(np.int16)


def to_netcdf(dataset: xr.Dataset, path: Path, **encoding: Any) -> Path:
    """NetCDF 4; encoding: of each variable with more than two axes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    many = {name: dict(encoding) for name, one in dataset.data_vars.items() if one.ndim > 2}
    dataset.to_netcdf(path, engine="h5netcdf", encoding=many)
    return path


def to_zarr(dataset: xr.Dataset, path: Path, *, version: int = 3, consolidated: bool = True, **encoding: Any) -> Path:
    """A store in a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    many = {name: dict(encoding) for name, one in dataset.data_vars.items() if one.ndim > 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.to_zarr(path, zarr_format=version, consolidated=consolidated, encoding=many)
    return path


def pack_all(folder: Path, archive: Path, prefix: str = "", compression: int = zipfile.ZIP_STORED) -> Path:
    """Every file of a folder as a ZIP."""
    with zipfile.ZipFile(archive, "w", compression) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, prefix + path.relative_to(folder).as_posix())
    return archive


def eopf_product(
    folder: Path, day: str, dn: NDArray[np.uint16], classes: NDArray[np.uint8], *, named: bool = True
) -> Path:
    """A product as the samples of EOPF have it: Zarr 2; dn: (4, H, W) at 10 m, also at 20 m; classes at 20 m."""
    import zarr

    name = f"S2A_MSIL2A_{day.replace('-', '')}T105031_N0511_R051_T31UFS_{day.replace('-', '')}T161503.zarr"
    path = folder / (name if named else f"product-{len(list(folder.glob('*')))}.zarr")
    root = zarr.create_group(
        str(path), zarr_format=2, attributes={"stac_discovery": {"properties": {"datetime": f"{day}T10:50:31.024000Z"}}}
    )
    scaled = {"scale_factor": 0.0001, "add_offset": -0.1, "proj:epsg": 32631}
    for group, step, values in (("r10m", 1, dn), ("r20m", 2, dn[:, ::2, ::2])):
        made = root.require_group(f"measurements/reflectance/{group}")
        _coordinates(made, step)
        for band, plane in zip(BANDS, values, strict=True):
            about: dict[str, Any] = {"_ARRAY_DIMENSIONS": ["y", "x"], "_eopf_attrs": scaled, "proj:epsg": 32631}
            array = made.create_array(band.lower(), shape=plane.shape, dtype="u2", chunks=(16, 16), fill_value=0)
            array[...] = plane
            array.attrs.update(about)
    masks = root.require_group("conditions/mask/l2a_classification/r20m")
    _coordinates(masks, 2)
    scl = masks.create_array("scl", shape=classes.shape, dtype="u1", chunks=(16, 16), fill_value=0)
    scl[...] = classes
    scl.attrs.update({"_ARRAY_DIMENSIONS": ["y", "x"], "proj:epsg": 32631})
    quality = root.require_group("quality/mask/r10m").create_array("b02", shape=(24, 32), dtype="u1", chunks=(24, 32))
    quality.attrs["_ARRAY_DIMENSIONS"] = ["y", "x"]
    return path


def _coordinates(group: Any, step: int) -> None:
    for name, first, sign, count in (("x", 600_000, 1, WIDTH), ("y", 5_600_000, -1, HEIGHT)):
        values = first + sign * 10 * step * (np.arange(count // step) + 0.5)
        array = group.create_array(name, shape=values.shape, dtype="f8")
        array[...] = values
        array.attrs["_ARRAY_DIMENSIONS"] = [name]


def edit_json(path: Path, **values: Any) -> None:
    """Other metadata in a store."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
