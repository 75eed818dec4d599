"""From the user's files to `Observations`: one file per format, all of them checked and masked the same way.

A container (folder, ZIP, single file) gives out its files, and the first of `formats.FORMATS` that recognises them
reads them. The names below are loaded when they are first used: the formats can be listed without GDAL.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq.readers.opening import open_contents, open_sequence, read, read_sequence
    from seq2seq.readers.source import SequenceInfo, SequenceSource

__all__ = ["SequenceInfo", "SequenceSource", "open_contents", "open_sequence", "read", "read_sequence"]

_HOMES = {
    "SequenceInfo": "source",
    "SequenceSource": "source",
    "open_contents": "opening",
    "open_sequence": "opening",
    "read": "opening",
    "read_sequence": "opening",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
