"""Level-2A's scene classification (SCL) as a cloud mask, from `SCL/` or from values in `MASK/` that are its classes.

Classes: Sentinel-2 Level-2A algorithm theoretical basis (Sen2Cor). Snow (11) is ground that was observed, as dark areas
(2), vegetation, soil, water and the unclassified (4 to 7) are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from seq2seq.errors import InvalidPixelsError, UnknownBandsError
from seq2seq.readers.acquisitions import sample_windows
from seq2seq.readers.checks import check_resampled
from seq2seq.readers.contents import Raster, Window
from seq2seq.readers.pairing import same_grid
from seq2seq.sequence import Bool, Float32

NO_DATA, HIGHEST_CLASS, FILL = 0, 11, 255  # 255: what exports fill with
MASKED_CLASSES = (0, 1, 3, 8, 9, 10)
MASKED_WORDS = "0 no data, 1 saturated, 3 shadow, 8 and 9 cloud, 10 cirrus"
_GROUND = frozenset({4, 5, 6, 7})
_FMASK = frozenset(range(5))  # 4 is cloud there


@dataclass(frozen=True)
class SclAcquisition:
    """One date of SCL, brought to `grid`, that of S2, by the nearest pixel."""

    raster: Raster
    grid: GeoBox

    def read(self, window: Window) -> Bool:
        """(h, w), True = one of `MASKED_CLASSES`, or outside the file. Raises `InvalidPixelsError` for no class."""
        classes = self._classes(window)
        outside = np.isnan(classes) | (classes == FILL)
        known = outside | np.isin(classes, range(HIGHEST_CLASS + 1))
        if not known.all():
            row, column = (int(index) for index in np.unravel_index(int((~known).argmax()), known.shape))
            raise InvalidPixelsError(
                f"{self.raster.header.name}, row {window.row + row}, column {window.column + column}: value "
                f"{classes[row, column]:g} is no class of SCL (0 to {HIGHEST_CLASS})"
            )
        return np.asarray(outside | np.isin(classes, MASKED_CLASSES))

    def _classes(self, window: Window) -> Float32:
        """(h, w), NaN outside the file."""
        if same_grid(self.raster.header.geobox, self.grid):
            return np.asarray(self.raster.read(window)[0], dtype=np.float32)
        return np.asarray(self.raster.read_on(self.grid, window, nodata=NO_DATA, nearest=True)[0])


def check_scl(rasters: Sequence[Raster], grid: GeoBox) -> list[SclAcquisition]:
    """The scene classifications, after their headers were checked against S2's `grid`."""
    for raster in rasters:
        header = raster.header
        if len(header.descriptions) != 1:
            raise UnknownBandsError(f"{header.name}: SCL has 1 band, this has {len(header.descriptions)}")
        if np.dtype(header.dtype).kind not in "uif":
            raise InvalidPixelsError(f"{header.name}: dtype {header.dtype} cannot hold classes of SCL")
        check_resampled(header, grid, "SCL", remedy="save it without that band")
    return [SclAcquisition(raster, grid) for raster in rasters]


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
