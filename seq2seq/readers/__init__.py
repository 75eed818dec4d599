"""From the user's files to `Observations`: one file per format, all of them checked and masked the same way.

A format is a module with `recognises(path)` and `open_contents(path)`; a new one is added to `FORMATS`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import MissingDataError, UnreadableFileError
from seq2seq.readers import archive, folder, working_copy
from seq2seq.readers.contents import Contents
from seq2seq.readers.source import SequenceInfo, SequenceSource, open_source
from seq2seq.readers.unread import advice_for
from seq2seq.sequence import Observations

__all__ = [
    "FORMATS",
    "Format",
    "SequenceInfo",
    "SequenceSource",
    "cloud_fractions",
    "open_contents",
    "open_sequence",
    "read_sequence",
]


@dataclass(frozen=True)
class Format:
    """One way in which sequences come. recognises: cheap, by the path and a few bytes. open_contents: headers only."""

    name: str
    recognises: Callable[[Path], bool]
    open_contents: Callable[[Path], AbstractContextManager[Contents]]


FORMATS: tuple[Format, ...] = (
    Format("working copy of a sequence", working_copy.recognises, working_copy.open_contents),
    Format("folder with S2/DATE.tif, S1/, MASK/, SCL/", folder.recognises, folder.open_contents),
    Format("ZIP of such a folder", archive.recognises, archive.open_contents),
)

_DEFAULT = ReconstructionConfig()


def open_sequence(path: str | Path, config: ReconstructionConfig = _DEFAULT) -> SequenceSource:
    """Opens the sequence at `path`, checks all headers and all pixels, finds clouds; use it with `with`.

    Memory stays below an eighth of `config.max_memory_gb`. Raises an `InputError`, one line naming file, band, date and
    numbers, for anything that would spoil a reconstruction; `ConfigError` for a cloud detector that cannot run.
    """
    return open_source(Path(path), open_contents(Path(path)), config)


def open_contents(path: Path) -> AbstractContextManager[Contents]:
    """The rasters at `path`, whatever their format, when entered; only their headers are read and checked by then."""
    if not path.exists():
        raise MissingDataError(f"{path}: does not exist")
    for known in FORMATS:
        if known.recognises(path):
            return known.open_contents(path)
    if advice := advice_for(path):
        raise UnreadableFileError(f"{path}: {advice}")
    raise UnreadableFileError(f"{path}: is none of: {'; '.join(known.name for known in FORMATS)}")


def read_sequence(path: str | Path, config: ReconstructionConfig = _DEFAULT) -> Observations:
    """The whole sequence at `path`, checked and masked. Raises as `open_sequence` does."""
    with open_sequence(path, config) as source:
        return source.read()


def cloud_fractions(source: SequenceSource) -> NDArray[np.float64]:
    """(T,) share of the scene that is cloud, shadow or no data on each date, 0 to 1. Known since the opening pass."""
    return source.cloud_fractions
