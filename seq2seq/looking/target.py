"""Where a picture goes: a name that says what it shows, and no file of anybody else's in its place."""

import os
import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from seq2seq.apart import check_apart
from seq2seq.errors import ConfigError, OutputError
from seq2seq.writers import write_file

# In every file that is made here, so that it is known again and may be replaced.
SIGNATURE = "decloud look"
STILL, MOVING = (".png", ".jpg", ".jpeg"), (".webp", ".gif")
INDEX, PICTURES = "index.html", "pictures"
_LOOKED_AT = 4096
_QUALITY = 92


def default_name(name: str, parts: Sequence[str | None]) -> str:
    """look-NAME-PART-PART, of letters, digits, dots, underscores and hyphens."""
    words = [re.sub(r"[^\w.-]+", "-", word).strip("-.") for word in (name, *parts) if word]
    return "-".join(["look", *(word for word in words if word)])


def check_suffix(out: Path | None, allowed: Sequence[str], what: str) -> None:
    """Raises `ConfigError` where `what` cannot be written to that name; without an ending it is a folder."""
    if out is not None and out.suffix and not out.is_dir() and out.suffix.lower() not in allowed:
        raise ConfigError(f"--out {out}: {what} is written as {', '.join(allowed)}")


def place_for(out: Path | None, stem: str, suffix: str, *, source: Path, overwrite: bool) -> Path:
    """The file to write: `out`, in the folder `out`, or in the working directory.

    Raises `OutputError` where it must not be written: inside what is looked at, or over a file that is not ours.
    """
    path = Path(f"{stem}{suffix}") if out is None else out
    if out is not None and (out.is_dir() or not out.suffix):
        path = out / f"{stem}{suffix}"
    check_apart(source, path)
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give the name of a file with --out")
    if path.exists() and not overwrite and not is_ours(path):
        raise OutputError(f"{path}: exists, and decloud look has not written it; --overwrite replaces it")
    return path


def folder_for(out: Path | None, stem: str, *, source: Path, overwrite: bool) -> Path:
    """The folder of a page: `out`, or one in the working directory.

    Raises `OutputError` for one that holds what no page of ours has.
    """
    folder = Path(stem) if out is None else out
    check_apart(source, folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; a page needs a folder")
    held = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    foreign = [name for name in held if name not in (INDEX, PICTURES)]
    index = folder / INDEX
    if foreign or (held and not overwrite and not (index.is_file() and is_ours(index))):
        raise OutputError(f"{folder}: holds {(foreign or held)[0]}, which decloud look has not written; give another")
    return folder


def is_ours(path: Path) -> bool:
    """True for a file that says that it was made here, near its beginning or its end."""
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
        file.seek(max(0, os.path.getsize(path) - _LOOKED_AT))
        return SIGNATURE.encode() in start + file.read()


def still(image: Image.Image, suffix: str) -> bytes:
    """The image as the file that the suffix says, with our signature."""
    buffer = BytesIO()
    if suffix == ".png":
        signed = PngInfo()
        signed.add_text("Software", SIGNATURE)
        image.save(buffer, "PNG", pnginfo=signed)
    else:
        image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, comment=SIGNATURE.encode())
    return buffer.getvalue()


def write_still(path: Path, image: Image.Image) -> None:
    """Writes a picture. Raises `OutputError`."""
    write_file(path, still(image, path.suffix.lower()))
