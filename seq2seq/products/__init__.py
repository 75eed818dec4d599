"""All outputs there are, in one table: `PRODUCTS`.

Writers, STAC, manifest, process description, client and help texts are made from it. A further raster is a module here
with its `Product`, and a line in the table.
"""

from seq2seq.products.base import Maker, Product, RasterProfile
from seq2seq.products.cloud_mask import CLOUD_MASK
from seq2seq.products.declouded import DECLOUDED
from seq2seq.products.documents import ARCHIVE, MANIFEST, PREVIEW, REPORT, STAC
from seq2seq.products.uncertainty import UNCERTAINTY

__all__ = [
    "ARCHIVE",
    "CLOUD_MASK",
    "DECLOUDED",
    "MANIFEST",
    "PREVIEW",
    "PRODUCTS",
    "REPORT",
    "STAC",
    "UNCERTAINTY",
    "Product",
    "RasterProfile",
    "made_by",
    "product_at",
    "top_names",
]

PRODUCTS: tuple[Product, ...] = (
    DECLOUDED,
    UNCERTAINTY,
    CLOUD_MASK,
    REPORT,
    PREVIEW,
    STAC,
    MANIFEST,
    ARCHIVE,
)


def made_by(*makers: Maker) -> tuple[Product, ...]:
    """The products that a run writes, a job adds, a download makes."""
    return tuple(product for product in PRODUCTS if product.made_by in makers)


def top_names(*makers: Maker) -> frozenset[str]:
    """Names of files and folders in the folder of a result that holds what these have made."""
    return frozenset().union(*(product.top_names for product in made_by(*makers)))


def product_at(path: str) -> Product | None:
    """The product of which the result's file `path` is a part; None where it is of none."""
    return next((product for product in PRODUCTS if product.file_at(path)), None)
