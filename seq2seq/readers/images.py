"""Images that are read whatever layout they come in: which file names they have, and what opens them."""

from collections.abc import Sequence
from hashlib import file_digest, sha256
from pathlib import PurePosixPath

import numpy as np

from seq2seq.errors import UnreadableFileError
from seq2seq.readers.base import Member
from seq2seq.readers.geotiff import GeoTiff, open_geotiff
from seq2seq.readers.unread import advice_for

SUFFIXES = (".tif", ".tiff")
MAX_BANDS = 4096  # years of dates with a dozen bands each, stacked in one file


def is_image(name: PurePosixPath) -> bool:
    """True for the name of an image; no hidden file is one."""
    return name.suffix.lower() in SUFFIXES and not name.name.startswith(".")


def open_image(member: Member, date: np.datetime64) -> GeoTiff:
    """The image with its header checked. Raises `UnreadableFileError`, `MisalignedGridsError`."""
    if PurePosixPath(member.name).suffix.lower() not in (".tif", ".tiff"):
        advice = advice_for(member.path) or f"is no {' or '.join(SUFFIXES)}"
        raise UnreadableFileError(f"{member.name}: {advice}", file=member.name)
    return open_geotiff(member.path, name=member.name, date=date, max_bands=MAX_BANDS)


def fingerprint(members: Sequence[Member]) -> str:
    """sha256 over names and contents: the same for a folder, its copy and its archive."""
    digest = sha256()
    for member in sorted(members, key=lambda member: member.name):
        with member.path.open("rb") as stream:
            digest.update(f"{member.name}\0{file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
