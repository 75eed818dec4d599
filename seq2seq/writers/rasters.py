"""The rasters of a date, each with its kind and its provenance in its own tags.

A file that was moved away from its folder and its report still states what it holds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from seq2seq.products.base import DateArrays, Product, Scene
from seq2seq.products.styles import STYLE_SUFFIX
from seq2seq.writers.cog import write_cog
from seq2seq.writers.output import write_file
from seq2seq.writers.qgis import qml

# The windows of one date with their arrays, anew for each raster.
Windows = Callable[[], Iterable[tuple[Window, DateArrays]]]


class PlacedScene(Scene, Protocol):
    """A scene and its grid."""

    @property
    def geobox(self) -> GeoBox:
        """Shape, affine and CRS."""


@dataclass(frozen=True)
class Provenance:
    """The origin of a result. fingerprint: of the input, hex. full_prediction: observed pixels were replaced too."""

    version: str
    method: str
    seed: int
    fingerprint: str
    simulated: bool
    full_prediction: bool

    @property
    def attributes(self) -> dict[str, str]:
        """The same of a cube, as CF calls it."""
        observed = "replaced by the reconstruction" if self.full_prediction else "unchanged"
        about = {
            "source": f"decloud {self.version}, method {self.method}, seed {self.seed}",
            "comment": f"observed pixels are {observed}",
            "input_fingerprint": self.fingerprint,
        }
        return about | ({"simulated": "YES"} if self.simulated else {})

    def tags(self, product: str, date: str, *, hidden: float, acquired: bool = True) -> dict[str, str]:
        """Makes the tags of one file. hidden: share of the date's pixels cloudy or without data, 0 to 1. acquired:
        False = the date was asked for."""
        observed = "replaced by the reconstruction" if self.full_prediction else "unchanged"
        reconstructed = 1.0 if self.full_prediction else hidden
        tags = {
            "PRODUCT": product,
            "ACQUISITION_DATE" if acquired else "REQUESTED_DATE": date,
            "SOFTWARE": f"decloud {self.version}",
            "METHOD": self.method,
            "SEED": str(self.seed),
            "INPUT_FINGERPRINT": self.fingerprint,
            "RECONSTRUCTED_PERCENT": f"{100 * reconstructed:.2f}",
            "OBSERVED_PERCENT": f"{100 * (1 - hidden):.2f}",
            "OBSERVED_PIXELS": observed,
        }
        return tags | ({"SIMULATED": "YES"} if self.simulated else {})


def write_rasters(
    folder: Path,
    date: str,
    windows: Windows,
    *,
    products: Iterable[Product],
    info: PlacedScene,
    provenance: Provenance,
    hidden: float,
    acquired: bool = True,
) -> None:
    """Writes the file of `date` of every raster among `products` into `folder`, and its style beside it.

    hidden, acquired: see `Provenance.tags`.

    Raises `OutputError`.
    """
    for product in products:
        if product.raster is None:
            continue
        encode, profile = product.raster.encode, product.raster.profile(info)
        tags = {**provenance.tags(product.name, date, hidden=hidden, acquired=acquired), **profile.tags}
        write_cog(
            folder / product.files[0].at(date),
            ((window, encode(arrays, info)) for window, arrays in windows()),
            geobox=info.geobox,
            profile=replace(profile, tags=tags),
        )
        if profile.style is not None:
            path = folder / product.files[0].at(date)
            write_file(path.with_suffix(STYLE_SUFFIX), qml(profile.style, profile.bands))
