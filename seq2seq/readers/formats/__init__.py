"""All formats that are read. Light to import: what reads a file is loaded when one is opened."""

from pathlib import PurePosixPath

from seq2seq.readers.base import Format, Root
from seq2seq.readers.formats.eopatch import EOPatch
from seq2seq.readers.formats.loose_images import ImageStack, LooseImages
from seq2seq.readers.formats.netcdf import NetCDFCubes
from seq2seq.readers.formats.safe import Safe
from seq2seq.readers.formats.sensor_folders import SensorFolders
from seq2seq.readers.formats.stac_catalogue import StacCatalogue
from seq2seq.readers.formats.zarr import ZarrCubes

FORMATS: tuple[Format, ...] = (
    # In the order in which they are asked. A folder or an archive that none of them recognises is opened as the first,
    # which says what it lacks.
    SensorFolders(),
    Safe(),
    EOPatch(),
    NetCDFCubes(),
    ZarrCubes(),
    StacCatalogue(),
    # The last, for they take every image.
    LooseImages(),
    ImageStack(),
)


def wanted(member: PurePosixPath) -> bool:
    """True for the name of a file that any format would read."""
    return any(known.wants(member) for known in FORMATS)


def format_of(root: Root) -> Format | None:
    """The first format that recognises the input."""
    return next((known for known in FORMATS if known.recognises(root.narrowed(known.wants))), None)


def depth() -> int:
    """The number of names, below the folder's own, that lead to the deepest files of any format."""
    return max(getattr(known, "levels", len(PurePosixPath(known.example).parts)) for known in FORMATS)


def is_single_file(known: Format) -> bool:
    """True for a format that is sent as it is, rather than as the ZIP of a folder."""
    return len(PurePosixPath(known.example).parts) == 1


def readable(*, folder: str = "folder or ZIP") -> str:
    """All that can be read, in words: `folder or ZIP with a GeoTIFF per date ..., as in S2/2020-08-01.tif`.

    folder: what a folder is, or has to be made into.
    """
    return "; or ".join(
        f"{'file' if is_single_file(known) else folder} with {known.name}, as in {known.example}" for known in FORMATS
    )
