"""Images that are read whatever layout they come in: which file names they have, and what opens them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import PurePosixPath

import numpy as np

from seq2seq.errors import UnreadableFileError
from seq2seq.readers import geotiff, jpeg2000
from seq2seq.readers.base import Member
from seq2seq.readers.gdal_file import GdalFile
from seq2seq.readers.unread import advice_for

MAX_BANDS = 4096  # years of dates with a dozen bands each, stacked in one file
START_BYTES = 12  # enough to tell


@dataclass(frozen=True)
class ImageKind:
    """One format of images. check_first_bytes: raises `UnreadableFileError` where a start of `START_BYTES` is none."""

    open: Callable[..., GdalFile]
    check_first_bytes: Callable[[bytes, str], None]


_TIFF = ImageKind(geotiff.open_geotiff, geotiff.check_first_bytes)
KINDS: Mapping[str, ImageKind] = {
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".jp2": ImageKind(jpeg2000.open_jpeg2000, jpeg2000.check_first_bytes),
}
SUFFIXES = tuple(KINDS)


def is_image(name: PurePosixPath) -> bool:
    """True for the name of an image; no hidden file is one."""
    return name.suffix.lower() in KINDS and not name.name.startswith(".")


def open_image(member: Member, date: np.datetime64, *, max_bands: int = MAX_BANDS) -> GdalFile:
    """The image with its header checked. Raises `UnreadableFileError`, `MisalignedGridsError`."""
    kind = KINDS.get(PurePosixPath(member.name).suffix.lower())
    if kind is None:
        advice = advice_for(member.path) or f"is no {' or '.join(KINDS)}"
        raise UnreadableFileError(f"{member.name}: {advice}", file=member.name)
    return kind.open(member.path, name=member.name, date=date, max_bands=max_bands)


def fingerprint(members: Sequence[Member]) -> str:
    """sha256 over names and contents: the same for a folder, its copy and its archive."""
    digest = sha256()
    for member in sorted(members, key=lambda member: member.name):
        with member.path.open("rb") as stream:
            digest.update(f"{member.name}\0{file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
