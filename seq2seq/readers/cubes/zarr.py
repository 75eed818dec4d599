"""Sequences in Zarr, versions 2 and 3: one store with axes of time, or EOPF products of a date each."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

from seq2seq.extras import naming_extra
from seq2seq.readers.assembling import assemble
from seq2seq.readers.base import Root
from seq2seq.readers.contents import Contents
from seq2seq.readers.cubes import eopf
from seq2seq.readers.cubes.arrays import RegionCache
from seq2seq.readers.cubes.reading import Findings, read_groups
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
            name = path or PurePath(root.name).name
            groups = groups_of(store, path, name=name)
            read = eopf.read_product if eopf.recognises(groups) else read_groups
            read(groups, name=name, cache=cache, found=found)
        keys = [key for key in store.keys if is_of_zarr(key)]
        yield assemble(found.layers, name=root.name, fingerprint=store_fingerprint(store, keys), warnings=found.said)
        cache.clear()
