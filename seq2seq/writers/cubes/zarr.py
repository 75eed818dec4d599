"""Zarr v3 stores, as a folder and as one file: made for object stores and for reading series of pixels."""

import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seq2seq.products import ZARR, ZARR_ZIP
from seq2seq.writers.cubes.base import CubeLayout, ReadBlock
from seq2seq.writers.failures import one_line_errors
from seq2seq.writers.output import temporary_beside

# All dates and bands of a square together: a pixel's series is one request. A few MiB are worth one.
_CHUNK_BYTES = 4 * 2**20
_ZSTD_LEVEL = 5
# The first that a ZIP can state: the same store gives the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


class Zarr:
    """A folder, with consolidated metadata."""

    product = ZARR

    def load(self) -> None:
        """Imports zarr."""
        import zarr

        assert zarr

    def write(self, path: Path, layout: CubeLayout, read: ReadBlock, check_stop: Callable[[], None]) -> None:
        """Writes the folder `path` anew. Raises `OutputError`."""
        import zarr

        side_px = layout.side_px(_CHUNK_BYTES, bands=len(layout.bands))
        with one_line_errors(path):
            shutil.rmtree(path, ignore_errors=True)
            group = zarr.create_group(str(path), zarr_format=3, attributes=dict(layout.attributes))
            arrays = _define(group, layout, side_px)
            for rows, columns in layout.blocks(side_px):
                check_stop()
                for name, values in read(rows, columns).items():
                    arrays[name][..., rows, columns] = values
            with warnings.catch_warnings():
                # It is no part of the specification yet; xarray reads it, and who does not know it reads on without.
                warnings.filterwarnings("ignore", message="Consolidated metadata")
                zarr.consolidate_metadata(str(path))


class ZippedZarr:
    """The same store in one file, which zarr and GDAL read without unpacking it."""

    product = ZARR_ZIP

    def load(self) -> None:
        """Imports zarr."""
        Zarr().load()

    def write(self, path: Path, layout: CubeLayout, read: ReadBlock, check_stop: Callable[[], None]) -> None:
        """Writes a folder beside `path`, and packs it. Raises `OutputError`."""
        folder = path.with_name(f".{path.name}.store")
        try:
            Zarr().write(folder, layout, read, check_stop)
            with temporary_beside(path, ".zip") as packed, one_line_errors(path):
                _pack(folder, packed)
                packed.replace(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _define(group: Any, layout: CubeLayout, side_px: int) -> dict[str, Any]:
    """All arrays, of which the coordinates are filled; returns the variables."""
    from zarr.codecs import ZstdCodec

    for name, (axes, values, attributes) in layout.coordinates().items():
        text = values.dtype.kind == "U"
        made = group.create_array(
            name,
            shape=values.shape,
            dtype=str if text else values.dtype,
            dimension_names=axes,
            attributes=attributes,
            compressors=None,
        )
        made[...] = values.astype(object) if text else values
    return {
        variable.name: group.create_array(
            variable.name,
            shape=layout.shape(variable),
            chunks=layout.chunks(variable, side_px, bands=len(layout.bands)),
            dtype=variable.dtype,
            fill_value=variable.fill or 0,
            dimension_names=variable.dimensions,
            attributes={key: _plain(value) for key, value in variable.attributes.items()},
            compressors=ZstdCodec(level=_ZSTD_LEVEL),
        )
        for variable in layout.variables
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _pack(folder: Path, packed: Path) -> None:
    """Stored, not deflated: chunks are compressed already, and are read in place."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            about = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _NO_TIME)
            about.external_attr = 0o644 << 16
            about.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(about, "w") as target:
                shutil.copyfileobj(source, target)
