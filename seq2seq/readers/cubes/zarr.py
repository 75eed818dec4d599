"""Sequences in Zarr, versions 2 and 3: one store with axes of time, or EOPF products of a date each."""

from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq.errors import MissingDataError
from seq2seq.extras import naming_extra
from seq2seq.readers.assembling import assemble
from seq2seq.readers.base import Root
from seq2seq.readers.contents import Contents
from seq2seq.readers.cubes import eopf
from seq2seq.readers.cubes.arrays import RegionCache
from seq2seq.readers.cubes.netcdf import without_bands
from seq2seq.readers.cubes.reading import Findings, read_group
from seq2seq.readers.cubes.zarr_arrays import groups_of, roots
from seq2seq.readers.cubes.zarr_stores import opened_store, store_fingerprint
from seq2seq.readers.formats.zarr import is_of_zarr


@contextmanager
def open_zarr(root: Root) -> Iterator[Contents]:
    """The rasters of all stores in the input. Raises `InputError`s, `MissingExtraError`."""
    with naming_extra("cubes"):
        import numcodecs

        assert numcodecs
    cache, found = RegionCache(), Findings()
    with opened_store(root) as store:
        for path in roots(store):
            name = path or root.name
            groups = groups_of(store, path, name=name)
            before = len(found.layers)
            if eopf.recognises(groups):
                eopf.read_product(groups, name=name, cache=cache, found=found)
            else:
                for group in groups:
                    read_group(group, name=name, cache=cache, found=found)
            if len(found.layers) == before:
                raise MissingDataError(f"{name}: {without_bands(groups)}", file=name)
        keys = [key for key in store.keys if is_of_zarr(key)]
        yield assemble(found.layers, name=root.name, fingerprint=store_fingerprint(store, keys), warnings=found.said)
        cache.clear()
