"""Sentinel-2 products as they are downloaded: SAFE folders, or the ZIP of each; read by `seq2seq.readers.safe`."""

from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from seq2seq.readers.base import Root
from seq2seq.readers.formats.sensor_folders import sensor_of
from seq2seq.readers.safe.names import image_name, is_product_archive, metadata_level

if TYPE_CHECKING:
    from seq2seq.readers.contents import Contents


class Safe:
    """SAFE products of Level-2A or Level-1C side by side, and S1/ and MASK/ beside them."""

    name = "SAFE products of Sentinel-2 (folders or the ZIP of each), Level-2A or Level-1C"
    example = "S2A_MSIL2A_*.SAFE/GRANULE/L2A_*/IMG_DATA/R10m/T31UFS_*_B02_10m.jp2"

    def wants(self, member: PurePosixPath) -> bool:
        """Bands, scene classifications, metadata and whole products; S1 and masks in folders of their own."""
        return _of_product(member) or sensor_of(member) in ("S1", "MASK")

    def recognises(self, root: Root) -> bool:
        """True where there is anything of a product."""
        return any(_of_product(PurePosixPath(member.name)) for member in root.members)

    def open(self, root: Root) -> AbstractContextManager["Contents"]:
        """The products' bands as a sequence. Raises `InputError`s for products that are incomplete or do not fit."""
        from seq2seq.readers.safe.opening import open_products

        return open_products(root)


def _of_product(member: PurePosixPath) -> bool:
    return bool(image_name(member) or metadata_level(member)) or is_product_archive(member)
