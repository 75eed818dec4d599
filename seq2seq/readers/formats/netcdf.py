"""Cubes in NetCDF: of openEO, Earth Engine, xarray, EarthNet and others, by itself or several in a folder or ZIP."""

from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from seq2seq.readers.base import Root
from seq2seq.readers.formats.sensor_folders import SENSORS

if TYPE_CHECKING:
    from seq2seq.readers.contents import Contents

SUFFIXES = (".nc", ".nc4", ".netcdf")


class NetCDFCubes:
    """A file holds any sensors and dates; read by `seq2seq.readers.cubes`."""

    name = "a cube in NetCDF, or several in a folder or ZIP"
    example = "cube.nc"

    def wants(self, member: PurePosixPath) -> bool:
        """NetCDF, also in folders that are called after their sensors."""
        if member.suffix.lower() not in SUFFIXES or member.name.startswith("."):
            return False
        return len(member.parts) == 1 or (len(member.parts) == 2 and member.parts[0].upper() in SENSORS)

    def recognises(self, root: Root) -> bool:
        """True for any."""
        return bool(root.members)

    def open(self, root: Root) -> AbstractContextManager["Contents"]:
        """The rasters of all files. Raises `InputError`s."""
        from seq2seq.readers.cubes.netcdf import open_netcdf

        return open_netcdf(root)
