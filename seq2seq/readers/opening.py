"""Opens a sequence, whatever contains it and whatever its format is."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError, UnreadableFileError
from seq2seq.notebook import choose_progress
from seq2seq.progress import OnProgress, Progress, ignore
from seq2seq.readers import formats, working_copy
from seq2seq.readers.base import Format, Root
from seq2seq.readers.containers import unpacked
from seq2seq.readers.contents import Contents
from seq2seq.readers.source import SequenceSource, open_source
from seq2seq.readers.unread import advice_for
from seq2seq.sequence import Observations

_DEFAULT = ReconstructionConfig()


def open_sequence(
    path: str | Path, config: ReconstructionConfig = _DEFAULT, *, on_progress: OnProgress = ignore
) -> SequenceSource:
    """Opens the sequence at `path`, checks all headers and all pixels, finds clouds; use it with `with`.

    Memory stays below an eighth of `config.max_memory_gb`. Raises an `InputError`, one line naming file, band, date and
    numbers, for anything that would spoil a reconstruction; `ConfigError` for a cloud detector that cannot run.
    """
    return open_source(Path(path), open_contents(Path(path)), config, on_progress)


def read_sequence(
    path: str | Path,
    config: ReconstructionConfig = _DEFAULT,
    *,
    on_progress: OnProgress | None = None,
    progress: bool | None = None,
) -> Observations:
    """The whole sequence at `path`, checked and masked. Raises as `open_sequence` does."""
    return read(path, config=config, on_progress=on_progress, progress=progress)


def read(
    *sources: Any,
    config: ReconstructionConfig = _DEFAULT,
    on_progress: OnProgress | None = None,
    progress: bool | None = None,
) -> Observations:
    """A whole sequence, checked and masked: of one path, of `xarray` objects, or of STAC items.

    xarray: a Dataset with a variable per band (`B02`, `red`, `SCL`, `VV`), or a DataArray with an axis of bands that
    have names; times, places and CRS come from its coordinates, and values may be lazy. S2 and S1 in one or in several.
    STAC: items, collections of items, catalogues of pystac, or their JSON as dicts; their images are files.
    progress: whether to show it, with what is to be known of the input, where `on_progress` is not given; by default in
    notebooks alone. Raises as `open_sequence` does.
    """
    report = choose_progress(on_progress, progress)
    path, opened = _opened([list(each) if isinstance(each, Iterator) else each for each in sources])
    report(Progress("reading"))
    with open_source(path, opened, config, report) as source:
        for warning in source.info.warnings:
            report(Progress("reading", message=warning))
        return source.read().loaded()


def _opened(sources: Sequence[Any]) -> tuple[Path, AbstractContextManager[Contents]]:
    """What was given, by its kind, and what it is called where it has no path."""
    if not sources:
        raise MissingDataError("read: nothing was given; give a path, xarray objects or STAC items")
    if len(sources) == 1 and isinstance(sources[0], str | os.PathLike):
        return Path(sources[0]), open_contents(Path(sources[0]))
    from seq2seq.readers.stac.objects import are_items, open_items

    if are_items(list(sources)):
        return Path("items"), open_items(sources)
    from seq2seq.readers.cubes.datasets import open_datasets

    names = [f"dataset {index}" for index in range(1, len(sources) + 1)] if len(sources) > 1 else ["dataset"]
    return Path("dataset"), open_datasets(dict(zip(names, sources, strict=True)))


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
            yield replace(contents, format=known.name)


def _format(root: Root) -> Format:
    """What reads the input, or can say why it cannot be read."""
    known = formats.format_of(root)
    if known is None and root.container == "file":
        if advice := advice_for(root.path):
            raise UnreadableFileError(f"{root.name}: {advice}")
        raise UnreadableFileError(f"{root.name}: is no {formats.readable()}")
    return known or formats.FORMATS[0]
