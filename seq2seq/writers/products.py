"""The three rasters of a date, each with what it is and where it comes from in its own tags.

A file that was moved away from its folder and its report still says what it holds.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from seq2seq.radiometry import Radiometry
from seq2seq.writers.cog import Block, write_cog

# Of one date, by the name of an array ("pixels", "sigma", "cloud_mask"): its windows and their values (C, h, w).
Windows = Callable[[str], Iterable[tuple[Window, NDArray[Any]]]]

SIGMA_UNIT = "reflectance"


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from. version: of decloud. method: its name. fingerprint: of the input, hex.
    full_prediction: observed pixels were replaced too."""

    version: str
    method: str
    seed: int
    fingerprint: str
    simulated: bool
    full_prediction: bool

    def tags(self, product: str, date: str, *, hidden: float) -> dict[str, str]:
        """Of one file. hidden: share of the date's pixels that were cloud, shadow or without data, 0 to 1."""
        observed = "replaced by the reconstruction" if self.full_prediction else "unchanged"
        reconstructed = 1.0 if self.full_prediction else hidden
        tags = {
            "PRODUCT": product,
            "ACQUISITION_DATE": date,
            "SOFTWARE": f"decloud {self.version}",
            "METHOD": self.method,
            "SEED": str(self.seed),
            "INPUT_FINGERPRINT": self.fingerprint,
            "RECONSTRUCTED_PERCENT": f"{100 * reconstructed:.2f}",
            "OBSERVED_PERCENT": f"{100 * (1 - hidden):.2f}",
            "OBSERVED_PIXELS": observed,
        }
        return tags | ({"SIMULATED": "YES"} if self.simulated else {})


def write_products(
    folder: Path,
    date: str,
    windows: Windows,
    *,
    geobox: GeoBox,
    bands: tuple[str, ...],
    radiometry: Radiometry,
    provenance: Provenance,
    hidden: float,
) -> None:
    """Writes declouded/, uncertainty/ and cloud_mask/DATE.tif into `folder`. hidden: see `Provenance.tags`.

    Raises `OutputError`.
    """

    def tags(product: str, **more: str) -> dict[str, str]:
        return provenance.tags(product, date, hidden=hidden) | more

    write_cog(
        folder / "declouded" / f"{date}.tif",
        _encoded(windows("pixels"), radiometry.to_dn),
        geobox=geobox,
        dtype=radiometry.dtype,
        nodata=radiometry.nodata,
        bands=bands,
        scale=radiometry.tags[0],
        offset=radiometry.tags[1],
        tags=tags("declouded", REFLECTANCE=f"value x {radiometry.scale:.10g} + {radiometry.offset:.10g}"),
    )
    write_cog(
        folder / "uncertainty" / f"{date}.tif",
        windows("sigma"),
        geobox=geobox,
        dtype="float32",
        nodata=None,
        bands=bands,
        unit=SIGMA_UNIT,
        tags=tags("uncertainty", SIGMA="one standard deviation, 0 where observed", SIGMA_UNIT=SIGMA_UNIT),
    )
    write_cog(
        folder / "cloud_mask" / f"{date}.tif",
        _encoded(windows("cloud_mask"), lambda values: (values > 0.5).astype(np.uint8)),
        geobox=geobox,
        dtype="uint8",
        nodata=None,
        bands=("cloud_mask",),
        overviews="nearest",
        tags=tags("cloud_mask", CLASSES="0 observed, 1 cloud, shadow or no data"),
    )


def _encoded(windows: Iterable[Block], encode: Callable[[NDArray[Any]], NDArray[Any]]) -> Iterator[Block]:
    return ((window, encode(values)) for window, values in windows)
