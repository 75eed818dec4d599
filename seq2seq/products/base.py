"""A product: one output by name, the files it consists of, and, where it is a raster, how the file of a date is made.

Nothing here loads numpy: the service's front and `--help` read the table of products as well.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seq2seq.products.styles import Style
    from seq2seq.radiometry import Radiometry
    from seq2seq.sequence import Bool, Float32

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
JSON, GEOJSON = "application/json", "application/geo+json"
HTML, PNG, WEBP, ZIP = "text/html; charset=utf-8", "image/png", "image/webp", "application/zip"
CSV, MARKDOWN, XML = "text/csv; charset=utf-8", "text/markdown; charset=utf-8", "application/xml"
NETCDF, ZARR = "application/netcdf", "application/vnd.zarr; version=3"
SUFFIXES = {
    COG: ".tif",
    JSON: ".json",
    HTML: ".html",
    PNG: ".png",
    WEBP: ".webp",
    ZIP: ".zip",
    CSV: ".csv",
    MARKDOWN: ".md",
}

# The format of images that is written unless another is asked for.
COG_FORMAT = "cog"

# In the path of a file it stands for an acquisition's day, such as 2021-05-01.
DATE = "DATE"
_DATE = r"\d{4}-\d{2}-\d{2}"

# run: every run writes it. comparison: every comparison of methods. inspection: every look at an upload. job: a job of
# the service adds it. download: it is made while it is sent.
Maker = Literal["run", "comparison", "inspection", "job", "download"]


class Scene(Protocol):
    """What the rasters of a result depend on beside their pixels: `seq2seq.readers.SequenceInfo`, or its like.

    bands: C names of the input. radiometry: how the input stores reflectance.
    """

    @property
    def bands(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def radiometry(self) -> "Radiometry": ...  # noqa: D102


@dataclass(frozen=True)
class DateArrays:
    """One window of one date as the engine leaves it. Each array is read when it is asked for, and not before."""

    read: Callable[[str], "NDArray[Any]"]

    @property
    def pixels(self) -> "Float32":
        """(C, h, w) reflectance."""
        return self.read("pixels")

    @property
    def sigma(self) -> "Float32":
        """(C, h, w) one standard deviation, reflectance; 0 where observed."""
        return self.read("sigma")

    @property
    def cloud_mask(self) -> "Bool":
        """(h, w) True = cloud, shadow or no data."""
        cloudy: Bool = self.read("cloud_mask")[0] > 0.5
        return cloudy


@dataclass(frozen=True)
class RasterProfile:
    """How a raster is stored. Physical value = stored value x `scale` + `offset`, in `unit`.

    dtype: numpy name. bands: their descriptions. overviews: averages, except "nearest" for classes and masks. tags:
    what the file says of itself beside its provenance. cf: attributes of a variable of a cube (CF conventions); its
    scale_factor and add_offset give the physical value also where the input's own tags, which files repeat, do not.
    style: how viewers may show it, in the values that its tags make of the stored ones.
    """

    dtype: str
    bands: tuple[str, ...]
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    overviews: Literal["average", "nearest"] = "average"
    tags: Mapping[str, str] = field(default_factory=dict)
    cf: Mapping[str, Any] = field(default_factory=dict)
    style: "Style | None" = None


@dataclass(frozen=True)
class DateRaster:
    """How the raster of a date is made. Modules of rasters import numpy in their functions, if at all.

    profile: the same for all dates of a scene. encode: (bands of the profile, h, w) values of one window, in the
    profile's dtype.
    """

    profile: Callable[[Scene], RasterProfile]
    encode: Callable[[DateArrays, Scene], "NDArray[Any]"]


@dataclass(frozen=True)
class ProductFile:
    """One file of a product. path: within a result, with `DATE` where there is one for each date."""

    path: str
    media_type: str

    def at(self, date: str) -> str:
        """The path of one date."""
        return self.path.replace(DATE, date)

    @property
    def is_folder(self) -> bool:
        """Whether it is a store of many files below a folder of that name."""
        return self.media_type == ZARR

    def is_at(self, path: str) -> bool:
        """Whether `path` is this file, of whatever date, or, where it is a folder, lies in it."""
        inside = "(/.+)?" if self.is_folder else ""
        return re.fullmatch(re.escape(self.path).replace(DATE, _DATE) + inside, path) is not None


@dataclass(frozen=True)
class Product:
    """One output, as users, the process description (OGC) and the files name it.

    media_type: of its values. stac_role: what it is as an asset of a STAC Item; None: it is none. per_date: whether it
    has a file for each date. raster: how that is made. parts: its files, where they are not just NAME/DATE.tif or
    NAME.json, by its media type. format: it is written where this format of images is asked for; by default any run
    writes documents, and `cog` rasters. variable: what the values of a raster are called in a cube. optional: it is
    written where the setting `products` names it.
    """

    name: str
    title: str
    about: str
    media_type: str
    stac_role: str | None = None
    per_date: bool = False
    raster: DateRaster | None = None
    made_by: Maker = "run"
    parts: tuple[ProductFile, ...] = ()
    format: str | None = None
    variable: str | None = None
    optional: bool = False

    @property
    def needs_format(self) -> str | None:
        """The format of images that it is written for; None: whatever the format."""
        return self.format or (COG_FORMAT if self.raster else None)

    @property
    def files(self) -> tuple[ProductFile, ...]:
        """All of them, the one that stands for the others first."""
        stem = f"{self.name}/{DATE}" if self.per_date else self.name
        return self.parts or (ProductFile(stem + SUFFIXES[self.media_type], self.media_type),)

    @property
    def path(self) -> str:
        """The first file's, within a result."""
        return self.files[0].path

    @property
    def top_names(self) -> frozenset[str]:
        """Names of files and folders that lie in a result's folder itself."""
        return frozenset(PurePosixPath(file.path).parts[0] for file in self.files)

    def file_at(self, path: str) -> ProductFile | None:
        """Which of its files lies at `path`."""
        return next((file for file in self.files if file.is_at(path)), None)
