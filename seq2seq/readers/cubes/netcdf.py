"""Sequences in NetCDF 4: one file or several, which may hold different sensors, dates and places."""

from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq.errors import MissingDataError
from seq2seq.extras import naming_extra
from seq2seq.readers.assembling import assemble
from seq2seq.readers.base import Root
from seq2seq.readers.contents import Contents
from seq2seq.readers.cubes.arrays import Group, RegionCache
from seq2seq.readers.cubes.hdf5 import open_hdf5
from seq2seq.readers.cubes.hdf5_files import OpenFiles
from seq2seq.readers.cubes.reading import Findings, read_group
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
            before = len(found.layers)
            for group in groups:
                read_group(group, name=member.name, cache=cache, found=found)
            if len(found.layers) == before:
                raise MissingDataError(f"{member.name}: {without_bands(groups)}", file=member.name)
        yield assemble(found.layers, name=root.name, fingerprint=fingerprint(root.members), warnings=found.said)
    finally:
        cache.clear()
        files.close()


def without_bands(groups: list[Group]) -> str:
    """What a file holds instead of bands, in words."""
    names = [name for group in groups for name, array in group.arrays.items() if len(array.shape) > 1]
    holds = f"it holds {', '.join(names[:6])}" if names else "it holds no variable on a grid"
    return (
        "no variable is called after a band of Sentinel-2 or 1 (B02, S2-L2A-B02, SCL, VV), with axes of time, y and x; "
        + holds
    )
