"""Sequences in NetCDF 4: one file or several, which may hold different sensors, dates and places."""

from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq.extras import naming_extra
from seq2seq.readers.assembling import assemble
from seq2seq.readers.base import Root
from seq2seq.readers.contents import Contents
from seq2seq.readers.cubes.arrays import RegionCache
from seq2seq.readers.cubes.hdf5 import open_hdf5
from seq2seq.readers.cubes.hdf5_files import OpenFiles
from seq2seq.readers.cubes.reading import Findings, read_groups
from seq2seq.readers.images import fingerprint


@contextmanager
def open_netcdf(root: Root) -> Iterator[Contents]:
    """The rasters of all members; files are open as long as the context. Raises `InputError`s, `MissingExtraError`."""
    with naming_extra("cubes"):
        import h5py

        assert h5py
    files, cache, found = OpenFiles(), RegionCache(), Findings()
    try:
        for member in root.members:
            groups = open_hdf5(member.path, name=member.name, files=files)
            read_groups(groups, name=member.name, cache=cache, found=found)
        yield assemble(found.layers, name=root.name, fingerprint=fingerprint(root.members), warnings=found.said)
    finally:
        cache.clear()
        files.close()
