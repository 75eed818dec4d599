"""Opens a sequence, whatever contains it and whatever its format is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError, UnreadableFileError
from seq2seq.readers import formats, working_copy
from seq2seq.readers.base import Format, Root
from seq2seq.readers.containers import unpacked
from seq2seq.readers.contents import Contents
from seq2seq.readers.source import SequenceSource, open_source
from seq2seq.readers.unread import advice_for
from seq2seq.sequence import Observations

_DEFAULT = ReconstructionConfig()


def open_sequence(path: str | Path, config: ReconstructionConfig = _DEFAULT) -> SequenceSource:
    """Opens the sequence at `path`, checks all headers and all pixels, finds clouds; use it with `with`.

    Memory stays below an eighth of `config.max_memory_gb`. Raises an `InputError`, one line naming file, band, date and
    numbers, for anything that would spoil a reconstruction; `ConfigError` for a cloud detector that cannot run.
    """
    return open_source(Path(path), open_contents(Path(path)), config)


def read_sequence(path: str | Path, config: ReconstructionConfig = _DEFAULT) -> Observations:
    """The whole sequence at `path`, checked and masked. Raises as `open_sequence` does."""
    with open_sequence(path, config) as source:
        return source.read().loaded()


def read(*sources: Any, config: ReconstructionConfig = _DEFAULT) -> Observations:
    """A whole sequence, checked and masked: of one path, or of `xarray` objects, S2 and S1 in one or in several.

    xarray: a Dataset with a variable per band (`B02`, `red`, `SCL`, `VV`), or a DataArray with an axis of bands that
    have names; times, places and CRS come from its coordinates, and values may be lazy. Raises as `open_sequence` does.
    """
    if len(sources) == 1 and isinstance(sources[0], str | os.PathLike):
        return read_sequence(Path(sources[0]), config)
    if not sources:
        raise MissingDataError("read: nothing was given; give a path, or xarray objects")
    from seq2seq.readers.cubes.datasets import open_datasets

    names = [f"dataset {index}" for index in range(1, len(sources) + 1)] if len(sources) > 1 else ["dataset"]
    with open_source(Path("dataset"), open_datasets(dict(zip(names, sources, strict=True))), config) as source:
        return source.read().loaded()


@contextmanager
def open_contents(path: Path, *, name: str | None = None) -> Iterator[Contents]:
    """The rasters at `path`, whatever their format; only their headers are read and checked.

    name: what the user calls the input, where it is stored under another name. Raises `InputError`s.
    """
    if not path.exists():
        raise MissingDataError(f"{name or path}: does not exist")
    if working_copy.recognises(path):  # ours, and never in a container: what an upload says of itself is not believed
        with working_copy.open_contents(path) as contents:
            yield contents
        return
    with unpacked(path, name) as root:
        known = _format(root)
        with known.open(root.narrowed(known.wants)) as contents:
            yield contents


def _format(root: Root) -> Format:
    """What reads the input, or can say why it cannot be read."""
    known = formats.format_of(root)
    if known is None and root.container == "file":
        if advice := advice_for(root.path):
            raise UnreadableFileError(f"{root.name}: {advice}")
        raise UnreadableFileError(f"{root.name}: is no {formats.readable()}")
    return known or formats.FORMATS[0]
