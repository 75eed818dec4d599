"""GeoTIFFs in no fixed layout, which say by names, band descriptions and metadata what they are.

Two formats of one reader: folders of them, and a single file with many dates.
"""

from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from seq2seq.readers.base import Root
from seq2seq.readers.formats.sensor_folders import SUFFIXES

if TYPE_CHECKING:
    from seq2seq.readers.contents import Contents

# Products that are folders of their own, of which no image is read for itself.
_PRODUCTS = (".safe", ".zarr")
_NO_OPTICAL = frozenset({"S1", "MASK", "SCL"})


class LooseImages:
    """Folders and archives of images; read by `seq2seq.readers.loose`."""

    name = "GeoTIFFs whose names, descriptions or metadata say which dates and bands they hold"
    example = "fields/2020-06-04_B02.tif"
    levels = 8

    def wants(self, member: PurePosixPath) -> bool:
        """Images at any depth up to `levels`, but none of a SAFE product."""
        return len(member.parts) <= self.levels and is_loose_image(member)

    def recognises(self, root: Root) -> bool:
        """True where some image is not in a folder of radar or masks, and the whole is no product of its own format."""
        own = PurePosixPath(root.name.replace("\\", "/").lower()).name.removesuffix(".zip")
        if root.container == "file" or own.endswith(_PRODUCTS):
            return False
        folders = [{part.upper() for part in PurePosixPath(member.name).parts[:-1]} for member in root.members]
        return any(not names & _NO_OPTICAL for names in folders)

    def open(self, root: Root) -> AbstractContextManager["Contents"]:
        """The images by sensor and date. Raises `InputError`s for names and bands that are ambiguous."""
        from seq2seq.readers.loose.reader import open_loose

        return open_loose(root)


class ImageStack:
    """One file with many dates as bands; read by `seq2seq.readers.loose`."""

    name = "a GeoTIFF whose bands are of many dates, described as 2020-06-04_B02 or numbered between two dates"
    example = "fields_2020-01-01_2020-12-31.tif"

    def wants(self, member: PurePosixPath) -> bool:
        """A GeoTIFF by itself."""
        return len(member.parts) == 1 and is_loose_image(member) and member.suffix.lower() in (".tif", ".tiff")

    def recognises(self, root: Root) -> bool:
        """One such file."""
        return root.container == "file" and len(root.members) == 1

    def open(self, root: Root) -> AbstractContextManager["Contents"]:
        """Its bands by sensor and date. Raises `InputError`s."""
        from seq2seq.readers.loose.reader import open_loose

        return open_loose(root)


def is_loose_image(member: PurePosixPath) -> bool:
    """True for the name of an image that lies loose."""
    return member.suffix.lower() in SUFFIXES and is_loose(member)


def is_loose(member: PurePosixPath) -> bool:
    """True for what is not hidden, nor in a folder that is, nor in a product of its own format."""
    return not any(
        part.startswith(".") or part.lower().endswith(_PRODUCTS) or part == "__MACOSX" for part in member.parts
    )
