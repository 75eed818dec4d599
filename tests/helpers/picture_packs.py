"""Pieces of pictures in one file, as a job leaves them."""

import io
import zipfile


def packed(pieces: dict[str, bytes]) -> bytes:
    """The file's bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, content in pieces.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return buffer.getvalue()
