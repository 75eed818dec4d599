"""Level-2A's scene classification (SCL) as a cloud mask, from `SCL/` or from values in `MASK/` that are its classes.

Classes: Sentinel-2 Level-2A algorithm theoretical basis (Sen2Cor). Snow (11) is ground that was observed, as dark areas
(2), vegetation, soil, water and the unclassified (4 to 7) are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from seq2seq.errors import InvalidPixelsError, UnknownBandsError, concerning
from seq2seq.readers.acquisitions import sample_windows
from seq2seq.readers.checks import check_resampled
from seq2seq.readers.contents import Header, Raster, Window
from seq2seq.readers.warp import read_on
from seq2seq.sequence import Bool

NO_DATA, HIGHEST_CLASS, FILL = 0, 11, 255  # 255: what exports fill with
MASKED_CLASSES = (0, 1, 3, 8, 9, 10)
SHADOW_CLASS = 3
MASKED_WORDS = "0 no data, 1 saturated, 3 shadow, 8 and 9 cloud, 10 cirrus"
_GROUND = frozenset({4, 5, 6, 7})
_FMASK = frozenset(range(5))  # 4 is cloud there


@dataclass(frozen=True)
class ClassMask:
    """One date of SCL, brought to `grid`, that of S2, by the nearest pixel."""

    raster: Raster
    grid: GeoBox

    @property
    def header(self) -> Header:
        """The file's."""
        return self.raster.header

    def read(self, window: Window) -> Bool:
        """(h, w), True = one of `MASKED_CLASSES`, or outside the file. Raises `InvalidPixelsError` for no class."""
        other, shadow = self.read_parts(window)
        return np.asarray(other | shadow)

    def read_parts(self, window: Window) -> tuple[Bool, Bool]:
        """(h, w) each: what `read` masks but for shadow, and shadow. Raises `InvalidPixelsError` for no class."""
        classes = read_on(self.raster, self.grid, window, nodata=NO_DATA, nearest=True)[0]
        outside = np.isnan(classes) | (classes == FILL)
        known = outside | np.isin(classes, range(HIGHEST_CLASS + 1))
        if not known.all():
            pixel = np.unravel_index(int((~known).argmax()), known.shape)
            row, column = window.row + int(pixel[0]), window.column + int(pixel[1])
            raise InvalidPixelsError(
                f"{self.header.name}, row {row}, column {column}: value {classes[pixel]:g} is no class of SCL "
                f"(0 to {HIGHEST_CLASS})",
                file=self.header.name,
                date=self.header.date,
                row=row,
                column=column,
            )
        shadow = np.asarray(~outside & (classes == SHADOW_CLASS))
        return np.asarray(outside | np.isin(classes, MASKED_CLASSES)) & ~shadow, shadow


def check_scl(rasters: Sequence[Raster], grid: GeoBox) -> list[ClassMask]:
    """The scene classifications, after their headers were checked against S2's `grid`."""
    for raster in rasters:
        header = raster.header
        with concerning(header.name, header.date):
            if len(header.descriptions) != 1:
                raise UnknownBandsError(f"{header.name}: SCL has 1 band, this has {len(header.descriptions)}")
            if np.dtype(header.dtype).kind not in "uif":
                raise InvalidPixelsError(f"{header.name}: dtype {header.dtype} cannot hold classes of SCL")
            check_resampled(header, grid, "SCL", remedy="save it without that band")
    return [ClassMask(raster, grid) for raster in rasters]


def sampled_classes(rasters: Sequence[Raster]) -> set[int]:
    """The whole numbers in a sample of the first bands, spread over each raster and over all of them."""
    found: set[int] = set()
    for raster in rasters:
        for window in sample_windows(raster.header):
            values = np.unique(raster.read(window)[0])
            found |= {int(value) for value in values[np.isfinite(values)]}
    return found


def looks_like_scl(values: Collection[int]) -> bool:
    """Whether these are classes rather than 0 and something: some kind of ground, and some other class beside it.

    What Fmask's classes could be too are not.
    """
    classes = set(values) - {FILL}
    if not classes <= set(range(HIGHEST_CLASS + 1)) or not classes & _GROUND or classes <= _FMASK:
        return False
    return len(classes - {0, 1}) >= 2 or 0 not in classes
