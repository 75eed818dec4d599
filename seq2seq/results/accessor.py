"""`dataset.decloud`: pictures and series of an opened result."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from seq2seq.errors import MissingDataError
from seq2seq.notebook import plot_dataset
from seq2seq.report.preview import choose_dates
from seq2seq.report.quicklook import Stretch, display_bands
from seq2seq.sequence import Float32
from seq2seq.wording import listed, nearest

if TYPE_CHECKING:
    from PIL.Image import Image

    from seq2seq.looking.views import Choice

# The stretch is fitted to squares of a few dates, not to the whole scene, which would have to be read for it.
_SAMPLED_DATES, _SAMPLED_PX = 6, 64


@xr.register_dataset_accessor("decloud")  # type: ignore[no-untyped-call]
class ResultAccessor:
    """Pictures and series of the result that a dataset is, see `decloud.open`."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset
        self._stretch: Stretch | None = None

    def rgb(self, date: Any) -> xr.DataArray:
        """Returns the image of `date` for the screen: (y, x, rgb) uint8, in one stretch for all dates.

        Natural colour where the bands have it, else a false colour, else grey; `bands` in its attributes are those
        shown. `.plot.imshow()` draws it where matplotlib is installed. Raises `MissingDataError` for another date.
        """
        shown = list(display_bands([str(band) for band in self._dataset.band.values]))
        image = self._of(date).reflectance.sel(band=shown)
        pixels = self._fitted(shown).apply(np.asarray(image.values, dtype=np.float32))
        coordinates = {name: image.coords[name] for name in ("y", "x", "spatial_ref", "time") if name in image.coords}
        about = {"grid_mapping": "spatial_ref", "bands": " ".join(shown)}
        return xr.DataArray(pixels, dims=("y", "x", "rgb"), coords=coordinates, name="rgb", attrs=about)

    def plot(self, date: Any = None, *, bands: "Choice | None" = None) -> "Image":
        """Draws what was observed, the result and its uncertainty: all dates on a sheet, or `date` large.

        A PIL image: a notebook shows it; `.save("date.png")` keeps it. bands: "rgb", "false" or "ndvi"; by default what
        is there, natural colour first. Large scenes are reduced while they are read. Raises `MissingDataError` for a
        date or bands that are not there.
        """
        return plot_dataset(self._dataset, date, bands)

    def series(self, x: float, y: float) -> xr.Dataset:
        """Returns what the pixel at `x`, `y`, in the units of the CRS, shows on all dates, read into memory.

        Raises `MissingDataError` where that lies outside.
        """
        for axis, value in (("x", x), ("y", y)):
            self._check_inside(axis, value)
        pixel = self._dataset.sel(x=x, y=y, method="nearest")
        return pixel.load()

    def _check_inside(self, axis: str, value: float) -> None:
        centres = self._dataset[axis].values
        half = abs(float(centres[-1] - centres[0])) / max(len(centres) - 1, 1) / 2 or self._pixel() / 2
        low, high = float(centres.min()) - half, float(centres.max()) + half
        if not low <= value <= high:
            raise MissingDataError(f"{axis} {value:g} lies outside the scene, which reaches from {low:g} to {high:g}")

    def _pixel(self) -> float:
        """The side of a pixel, where there is but one along an axis."""
        return abs(float(str(self._dataset.spatial_ref.attrs["GeoTransform"]).split()[1]))

    def _of(self, date: Any) -> xr.Dataset:
        days = self._dataset.time.values.astype("datetime64[D]")
        try:
            found = np.flatnonzero(days == np.datetime64(date, "D"))
        except ValueError:
            found = np.array([], dtype=int)
        if not found.size:
            known = [str(day) for day in days]
            raise MissingDataError(f"{date} is no date of this result, which has {listed(known)}{nearest(date, known)}")
        return self._dataset.isel(time=int(found[0]))

    def _fitted(self, bands: list[str]) -> Stretch:
        """One for all dates, fitted when a picture is first asked for."""
        if self._stretch is None:
            values = self._samples(bands)
            self._stretch = Stretch.of(values)
        return self._stretch

    def _samples(self, bands: list[str]) -> Float32:
        """(C, N) of squares in the middle and in the quarters, on dates over the whole time."""
        reflectance, sizes = self._dataset.reflectance.sel(band=bands), self._dataset.sizes
        dates = choose_dates(np.zeros(sizes["time"]), _SAMPLED_DATES)
        squares = [
            reflectance.isel(time=dates, y=_square(sizes["y"], part), x=_square(sizes["x"], across)).values
            for part, across in ((0.5, 0.5), (0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75))
        ]
        flat = [np.moveaxis(square, 1, 0).reshape(len(bands), -1) for square in squares]
        return np.concatenate(flat, axis=1).astype(np.float32)


def _square(length: int, part: float) -> slice:
    side = min(_SAMPLED_PX, length)
    start = min(max(0, int(length * part) - side // 2), length - side)
    return slice(start, start + side)
