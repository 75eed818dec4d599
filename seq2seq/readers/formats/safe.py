"""Sentinel-2 products as they are downloaded: SAFE folders, or the ZIP of each; read by `seq2seq.readers.safe`."""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from seq2seq.readers.base import Root
from seq2seq.readers.formats.loose_images import is_loose_image

if TYPE_CHECKING:
    from seq2seq.readers.contents import Contents


_PRODUCT_ZIP = re.compile(r"(?i)S2[A-D]_(?:MSIL(?:1C|2A)_\d{8}T\d{6}_|(?:OPER|USER)_PRD_MSIL(?:1C|2A)_).*\.zip")
_METADATA = re.compile(r"(?:MTD_MSI(L1C|L2A)|S2[A-D]_(?:OPER|USER)_MTD_SAF(L1C|L2A)_\w+)\.xml")
_TILE_METADATA = re.compile(r"MTD_TL\.xml|S2[A-D]_(?:OPER|USER)_MTD_(?:L1C|L2A)_TL_\w+\.xml")
# T31UFS_20220605T105031_B02_10m.jp2 in R10m; without folder and resolution in Level-1C; longer in products of 2016
_IMAGE = re.compile(r"(?:[^/]+_)?(B(?:0[1-9]|1[0-2]|8A)|SCL)(?:_([126]0)m)?\.jp2")
_RESOLUTION = re.compile(r"R([126]0)m")
# The only time in the names of images, since products hold one tile; before, it is the time of their making.
_DATATAKE = re.compile(r"(?:L2A_)?T\d\d[A-Z]{3}_(\d{8}T\d{6})_")
_LEVEL = re.compile(r"(?:MSI|_|^)(L1C|L2A)(?=_)")


@dataclass(frozen=True)
class ImageName:
    """An image of a product. product: path of the product's folder, "" where the input is one. gsd_m: 0 if not said."""

    product: str
    granule: str
    file: str
    band: str
    gsd_m: int

    @property
    def level(self) -> str:
        """L1C or L2A, "" where the names do not say."""
        found = _LEVEL.search(self.granule)
        return found[1] if found else "L2A" if self.gsd_m else ""

    @property
    def datatake(self) -> str:
        """When it was begun, as in names, "20220605T105031"; "" where the name does not say."""
        found = _DATATAKE.match(self.file)
        return found[1] if found else ""


class Safe:
    """SAFE products of Level-2A or Level-1C side by side, and S1/ and MASK/ beside them."""

    name = "SAFE products of Sentinel-2 (folders or the ZIP of each), Level-2A or Level-1C"
    example = "S2A_MSIL2A_*.SAFE/GRANULE/L2A_*/IMG_DATA/R10m/T31UFS_*_B02_10m.jp2"
    levels = 7  # a folder of the user's own may lie around the products

    def wants(self, member: PurePosixPath) -> bool:
        """Bands, scene classifications, metadata and whole products; images beside them, for S1 and masks."""
        return _of_product(member) or is_loose_image(member)

    def recognises(self, root: Root) -> bool:
        """True where there is anything of a product."""
        return any(_of_product(PurePosixPath(member.name)) for member in root.members)

    def open(self, root: Root) -> AbstractContextManager["Contents"]:
        """The products' bands as a sequence. Raises `InputError`s for products that are incomplete or do not fit."""
        from seq2seq.readers.safe import open_products

        return open_products(root)


def _of_product(member: PurePosixPath) -> bool:
    named = image_name(member) or metadata_level(member) or tile_metadata(member)
    return bool(named) or is_product_archive(member)


def image_name(member: PurePosixPath) -> ImageName | None:
    """What the name of a band or of the scene classification says, None for every other file."""
    parts = member.parts
    if "IMG_DATA" not in parts or member.name.startswith("."):
        return None
    at = parts.index("IMG_DATA")
    found = _IMAGE.fullmatch(member.name)
    if not found or at < 2 or parts[at - 2] != "GRANULE" or len(parts) - at not in (2, 3):
        return None
    folder = _RESOLUTION.fullmatch(parts[at + 1])
    if len(parts) - at == 3 and not folder:
        return None
    gsd_m = int(found[2] or (folder[1] if folder else 0))
    return ImageName("/".join(parts[: at - 2]), parts[at - 1], member.name, found[1], gsd_m)


def metadata_level(member: PurePosixPath) -> str | None:
    """L1C or L2A for a product's metadata, None for every other file."""
    found = _METADATA.fullmatch(member.name)
    return (found[1] or found[2]) if found else None


def tile_metadata(member: PurePosixPath) -> tuple[str, str] | None:
    """The product's folder and the granule of a tile's metadata, None for every other file."""
    parts = member.parts
    if len(parts) < 3 or parts[-3] != "GRANULE" or not _TILE_METADATA.fullmatch(member.name):
        return None
    return "/".join(parts[:-3]), parts[-2]


def is_product_archive(member: PurePosixPath) -> bool:
    """True for the name of a ZIP that holds one product, as it is downloaded."""
    return _PRODUCT_ZIP.fullmatch(member.name) is not None
