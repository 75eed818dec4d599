"""NetCDF4 through h5netcdf: HDF5 files that every netCDF library reads."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.errors import OutputError
from seq2seq.products import NETCDF
from seq2seq.writers.cubes.base import CubeLayout, ReadBlock
from seq2seq.writers.failures import one_line_errors
from seq2seq.writers.output import describe_failure, temporary_beside

# What HDF5 keeps of a variable in memory unless a reader asks for more: a chunk that is larger is decoded again and
# again. So chunks hold one band, all dates.
_CHUNK_BYTES = 2**20
# The default of netCDF tools; more costs time and gains little.
_DEFLATE = {"compression": "gzip", "compression_opts": 4, "shuffle": True}


class NetCDF:
    """One NetCDF4 file."""

    product = NETCDF

    def load(self) -> None:
        """Imports h5netcdf, which reads and writes through h5py."""
        import h5netcdf
        import h5py

        assert h5netcdf, h5py

    def write(self, path: Path, layout: CubeLayout, read: ReadBlock, check_stop: Callable[[], None]) -> None:
        """Writes the file beside `path`, and renames it when it is complete. Raises `OutputError`."""
        import h5netcdf

        side_px = layout.side_px(_CHUNK_BYTES, bands=1)
        with temporary_beside(path, ".nc") as growing, one_line_errors(path):
            try:
                with h5netcdf.File(growing, "w") as file:
                    self._define(file, layout, side_px)
                    for rows, columns in layout.blocks(side_px):
                        check_stop()
                        for name, values in read(rows, columns).items():
                            file[name][..., rows, columns] = values
            except RuntimeError as error:  # what HDF5 raises where it cannot close a file on a full disk
                raise OutputError(describe_failure(path, str(error))) from error
            os.replace(growing, path)

    def _define(self, file: Any, layout: CubeLayout, side_px: int) -> None:
        import h5py

        file.attrs.update(layout.attributes)
        file.dimensions = layout.sizes
        for name, (axes, values, attributes) in layout.coordinates().items():
            text = values.dtype.kind == "U"
            made = file.create_variable(name, axes, h5py.string_dtype() if text else values.dtype)
            made[...] = values.astype(object) if text else values
            made.attrs.update({key: _plain(value) for key, value in attributes.items()})
        for variable in layout.variables:
            chunks = layout.chunks(variable, side_px, bands=1)
            fill = None if variable.fill is None else np.dtype(variable.dtype).type(variable.fill)
            made = file.create_variable(
                variable.name, variable.dimensions, variable.dtype, chunks=chunks, fillvalue=fill, **_DEFLATE
            )
            dtype = np.dtype(variable.dtype)
            made.attrs.update({key: _plain(value, dtype) for key, value in variable.attributes.items()})


def _plain(value: Any, dtype: "np.dtype[Any] | None" = None) -> Any:
    """Lists of flags have the dtype of their variable, as CF wants it."""
    return np.asarray(value, dtype=dtype) if isinstance(value, tuple | list) else value
