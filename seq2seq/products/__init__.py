"""All outputs there are, in tables: `PRODUCTS` of a reconstruction, `COMPARED` of a comparison of methods, `INSPECTED`
of a look at an upload.

Writers, STAC, manifest, process descriptions, client and help texts are made from them. A further raster is a module
here with its `Product`, and a line in the table.
"""

from seq2seq.products.base import Maker, Product, RasterProfile
from seq2seq.products.cloud_mask import CLOUD_MASK
from seq2seq.products.comparison import COMPARISON_REPORT, RESULTS, TABLE, TABLE_MD
from seq2seq.products.cubes import NETCDF, ZARR, ZARR_ZIP
from seq2seq.products.declouded import DECLOUDED
from seq2seq.products.documents import ARCHIVE, MANIFEST, PREVIEW, REPORT, STAC
from seq2seq.products.indices import INDEX_PRODUCTS
from seq2seq.products.inspection import DATE_PREVIEWS, INSPECTION
from seq2seq.products.pictures import PICTURES
from seq2seq.products.styles import styles_of
from seq2seq.products.uncertainty import UNCERTAINTY

__all__ = [
    "ARCHIVE",
    "CLOUD_MASK",
    "COMPARED",
    "DATE_PREVIEWS",
    "DECLOUDED",
    "INSPECTED",
    "INSPECTION",
    "MANIFEST",
    "NETCDF",
    "PICTURES",
    "PREVIEW",
    "PRODUCTS",
    "REPORT",
    "STAC",
    "STYLES",
    "UNCERTAINTY",
    "ZARR",
    "ZARR_ZIP",
    "Product",
    "RasterProfile",
    "made_by",
    "product_at",
    "top_names",
]

_IMAGES = (DECLOUDED, UNCERTAINTY, CLOUD_MASK)
STYLES = styles_of((*_IMAGES, *INDEX_PRODUCTS))
PRODUCTS: tuple[Product, ...] = (
    *_IMAGES,
    *INDEX_PRODUCTS,
    STYLES,
    NETCDF,
    ZARR,
    ZARR_ZIP,
    REPORT,
    PREVIEW,
    STAC,
    PICTURES,
    MANIFEST,
    ARCHIVE,
)
COMPARED: tuple[Product, ...] = (TABLE, TABLE_MD, COMPARISON_REPORT, RESULTS, MANIFEST, ARCHIVE)
INSPECTED: tuple[Product, ...] = (INSPECTION, DATE_PREVIEWS, MANIFEST, ARCHIVE)


def made_by(*makers: Maker) -> tuple[Product, ...]:
    """The products that a run or a comparison writes, a job adds, a download makes."""
    return tuple(product for product in _all() if product.made_by in makers)


def top_names(*makers: Maker) -> frozenset[str]:
    """Names of files and folders in the folder of a result that holds what these have made."""
    return frozenset().union(*(product.top_names for product in made_by(*makers)))


def product_at(path: str) -> Product | None:
    """The product of which the result's file `path` is a part; None where it is of none.

    A file of this path is the same kind of file in either table.
    """
    return next((product for product in _all() if product.file_at(path)), None)


def _all() -> tuple[Product, ...]:
    return tuple(dict.fromkeys((*PRODUCTS, *COMPARED, *INSPECTED)))
