"""Images in folders that are called after what they hold: `S2/DATE*.tif`, optional `S1/`, `MASK/` and `SCL/`."""

from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from seq2seq.readers.base import Root

if TYPE_CHECKING:
    from seq2seq.readers.contents import Contents

SENSORS = ("S2", "S1", "MASK", "SCL")
SUFFIXES = (".tif", ".tiff", ".jp2")


class SensorFolders:
    """The layout of folders and archives that needs no explanation; read by `seq2seq.readers.layout`."""

    name = "a GeoTIFF per date in S2/ and, if there are any, in S1/ and MASK/ or SCL/"
    example = "S2/2020-08-01.tif"

    def wants(self, member: PurePosixPath) -> bool:
        """Images in the four folders."""
        return sensor_of(member) is not None

    def recognises(self, root: Root) -> bool:
        """True where there is some S2."""
        return any(sensor_of(PurePosixPath(member.name)) == "S2" for member in root.members)

    def open(self, root: Root) -> AbstractContextManager["Contents"]:
        """The rasters of each folder. Raises `MissingDataError` without S2, and what the files raise."""
        from seq2seq.readers.layout import open_layout

        return open_layout(root)


def sensor_of(relative: PurePosixPath) -> str | None:
    """S2, S1, MASK or SCL for an image in a folder of that name (any case), None for every other file."""
    if len(relative.parts) != 2 or relative.suffix.lower() not in SUFFIXES or relative.name.startswith("."):
        return None
    folder = relative.parts[0].upper()
    return folder if folder in SENSORS else None
