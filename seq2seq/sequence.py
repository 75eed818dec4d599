"""The data model: one sensor's acquisitions, the input of a reconstruction, and its result.

One axis order everywhere: `(T, C, H, W)` = date, band, row, column. True in `observed` = usable; True in `cloud_mask` =
cloud, shadow or no data.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

if TYPE_CHECKING:
    import xarray as xr
    from PIL.Image import Image

    from seq2seq.looking.views import Choice
    from seq2seq.radar_series import RadarSeries

Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]
Dates = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class ImageSequence:
    """One sensor's acquisitions on one grid.

    pixels: (T, C, H, W) float32, reflectance (unitless, nominally [0, 1]) for S2, backscatter in dB for S1.
    dates: (T,) datetime64[D], UTC days, sorted, unique. bands: C names. geobox: shape (H, W), affine and CRS.
    observed: (T, H, W), True = usable. Pixels that are not observed hold finite values of no meaning.
    Raises ValueError where the axes disagree.
    """

    pixels: Float32
    dates: Dates
    bands: tuple[str, ...]
    geobox: GeoBox
    observed: Bool

    def __post_init__(self) -> None:
        _check_axes(self.pixels, self.dates, self.bands, self.geobox, self.observed)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The sizes (T, C, H, W)."""
        t, c, h, w = self.pixels.shape
        return t, c, h, w

    @property
    def days(self) -> NDArray[np.int64]:
        """Days since the first date, (T,)."""
        return days_since_first(self.dates)

    def crop(self, rows: slice, columns: slice) -> "ImageSequence":
        """Returns the same dates and bands on a window of the grid (views, no copy)."""
        return ImageSequence(
            pixels=self.pixels[:, :, rows, columns],
            dates=self.dates,
            bands=self.bands,
            geobox=self.geobox[rows, columns],
            observed=self.observed[:, rows, columns],
        )

    def to_xarray(self) -> "xr.Dataset":
        """Returns a Dataset with `pixels (time, band, y, x)` and `observed (time, y, x)`; see `coordinates`."""
        import xarray as xr

        return xr.Dataset(
            {
                "pixels": (("time", "band", "y", "x"), self.pixels, {"grid_mapping": "spatial_ref"}),
                "observed": (("time", "y", "x"), self.observed, {"grid_mapping": "spatial_ref"}),
            },
            coords=self.coordinates(),
        )

    def coordinates(self) -> dict[str, Any]:
        """Makes the coordinates of a Dataset of this sequence, see `coordinates_of`."""
        return coordinates_of(self.dates, self.bands, self.geobox)

    def __repr__(self) -> str:
        return f"ImageSequence({', '.join(text for _, text in self.facts())})"

    def _repr_html_(self) -> str:
        from seq2seq.notebook import card

        return card("ImageSequence", self.facts(), self, self.observed)

    def facts(self) -> list[tuple[str, str]]:
        """Lists names and facts for people, at a glance."""
        dates, _, height, width = self.shape
        return [
            ("dates", f"{dates} dates {self.dates[0]} to {self.dates[-1]}" if dates else "no dates"),
            ("bands", " ".join(self.bands)),
            ("grid", f"{height} x {width} px {crs_name(self.geobox)}"),
            ("observed", f"{self.observed.mean() if self.observed.size else 0:.0%} observed"),
        ]

    def plot(self, date: Any = None, *, bands: "Choice | None" = None) -> "Image":
        """Draws all dates on a sheet, or `date` large, as a PIL image; see `Observations.plot`."""
        from seq2seq.notebook import plot_sequence

        return plot_sequence(self, date, bands)

    @classmethod
    def from_xarray(cls, dataset: "xr.Dataset") -> "ImageSequence":
        """Inverts `to_xarray`. Raises ValueError where a variable or the CRS is missing."""
        missing = {"pixels", "observed", "spatial_ref"} - set(map(str, dataset.variables))
        if missing:
            raise ValueError(
                f"dataset lacks {', '.join(sorted(missing))}; has {', '.join(map(str, dataset.variables))}"
            )
        grid = dataset["spatial_ref"].attrs
        affine = Affine.from_gdal(*map(float, str(grid["GeoTransform"]).split()))
        pixels = dataset["pixels"].transpose("time", "band", "y", "x").values
        return cls(
            pixels=np.asarray(pixels, dtype=np.float32),
            dates=dataset["time"].values.astype("datetime64[D]"),
            bands=tuple(str(band) for band in dataset["band"].values),
            geobox=GeoBox(pixels.shape[2:], affine, grid["crs_wkt"]),
            observed=np.asarray(dataset["observed"].transpose("time", "y", "x").values, dtype=bool),
        )


@dataclass(frozen=True, eq=False)
class Observations:
    """The input of a reconstruction: S2, and S1 brought to the same dates and grid.

    s2: reflectance; `s2.observed` excludes clouds, shadows and no data. s1: dB on the dates and grid of s2, or None.
    cloud_mask: (T, H, W), True = cloud, shadow or no data. s1_dates: (T,) the S1 acquisition each S2 date got, NaT
    where none was near enough (`s1.observed` is False there). requested: (N,) those dates of s2 that were asked for and
    never acquired: nothing is observed on them. s1_series: all S1 acquisitions on their own days, each with its orbit;
    None where S1 is given for the dates of S2 alone, so that `s1` holds all of it.
    """

    s2: ImageSequence
    s1: ImageSequence | None
    cloud_mask: Bool
    s1_dates: Dates
    requested: Dates = field(default_factory=lambda: np.array([], dtype="datetime64[D]"))
    s1_series: "RadarSeries | None" = None

    def __post_init__(self) -> None:
        t, _, h, w = self.s2.shape
        if self.cloud_mask.shape != (t, h, w) or self.cloud_mask.dtype != bool:
            raise ValueError(
                f"cloud_mask is {self.cloud_mask.dtype} {self.cloud_mask.shape}, s2 needs bool {(t, h, w)}"
            )
        if self.s1_dates.shape != (t,):
            raise ValueError(f"s1_dates has {self.s1_dates.shape} entries, s2 has T={t}")
        if len(set(self.requested.tolist()) - set(self.s2.dates.tolist())) or self.s2.observed[~self.acquired].any():
            raise ValueError("requested holds dates that s2 lacks, or that are observed")
        if self.s1_series is not None and tuple(self.s1_series.geobox.shape) != (h, w):
            raise ValueError(f"s1_series is {tuple(self.s1_series.geobox.shape)}, s2 is {(h, w)}")
        if self.s1 is None:
            return
        if not np.array_equal(self.s1.dates, self.s2.dates):
            raise ValueError("s1 and s2 have different dates; pair them first")
        if self.s1.shape[2:] != (h, w):
            raise ValueError(f"s1 is {self.s1.shape[2:]}, s2 is {(h, w)}; bring them to one grid first")

    @property
    def acquired(self) -> Bool:
        """(T,) False = asked for, never acquired."""
        return ~np.isin(self.s2.dates, self.requested)

    def loaded(self) -> "Observations":
        """Returns the same with all of it in memory, so that it outlives the files. Raises what reading raises."""
        return self if self.s1_series is None else replace(self, s1_series=self.s1_series.loaded())

    def __repr__(self) -> str:
        return f"Observations({', '.join(text for _, text in self.facts())})"

    def _repr_html_(self) -> str:
        from seq2seq.notebook import card

        return card("Observations", self.facts(), self.s2, self.s2.observed, clouds=self.cloud_mask)

    def facts(self) -> list[tuple[str, str]]:
        """Lists names and facts for people, at a glance."""
        paired = int((~np.isnat(self.s1_dates)).sum())
        radar = f"S1 {' '.join(self.s1.bands)} on {paired} of {len(self.s1_dates)} dates" if self.s1 else "no S1"
        return [*self.s2.facts(), ("S1", radar), *(self.s1_series.facts() if self.s1_series else [])]

    def plot(self, date: Any = None, *, bands: "Choice | None" = None) -> "Image":
        """Draws all dates on a sheet, or `date` large, with clouds outlined, as a PIL image.

        A notebook shows it, `.save("dates.png")` keeps it. bands: "rgb", "false", "ndvi" or "s1"; by default what is
        there, natural colour first. Raises `MissingDataError` for a date or bands that are not there.
        """
        from seq2seq.notebook import plot_observations

        return plot_observations(self, date, bands)

    def crop(self, rows: slice, columns: slice) -> "Observations":
        """Returns the same dates on a window of the grid."""
        return Observations(
            s2=self.s2.crop(rows, columns),
            s1=None if self.s1 is None else self.s1.crop(rows, columns),
            cloud_mask=self.cloud_mask[:, rows, columns],
            s1_dates=self.s1_dates,
            requested=self.requested,
            s1_series=None if self.s1_series is None else self.s1_series.crop(rows, columns),
        )


def days_since_first(dates: Dates) -> NDArray[np.int64]:
    """Counts (T,) days since the first date."""
    days: NDArray[np.int64] = (dates - dates[0]).astype(np.int64)
    return days


def crs_name(geobox: GeoBox) -> str:
    """Names a CRS, such as EPSG:32631, else as it names itself."""
    code = geobox.crs.to_epsg()
    return f"EPSG:{code}" if code else str(geobox.crs.proj.name)


def coordinates_of(dates: Dates, bands: tuple[str, ...], geobox: GeoBox) -> dict[str, Any]:
    """Makes the coordinates of a Dataset: time, band, y, x and `spatial_ref`, each (dimensions, values, attributes).

    Grid and CRS travel by the CF convention that GDAL, rioxarray and odc-geo read: pixel-centre coordinates and a
    scalar `spatial_ref` with `crs_wkt` and `GeoTransform`.
    """
    affine, (height, width), crs = geobox.affine, geobox.shape, geobox.crs
    x = affine.c + affine.a * (np.arange(width) + 0.5)
    y = affine.f + affine.e * (np.arange(height) + 0.5)
    grid = {"crs_wkt": crs.to_wkt(), "GeoTransform": " ".join(map(repr, affine.to_gdal()))}
    along_y, along_x = _axis_attributes(geographic=bool(crs.geographic), unit=str(crs.proj.axis_info[0].unit_name))
    return {
        "time": ("time", dates.astype("datetime64[ns]"), {"standard_name": "time", "axis": "T"}),
        "band": ("band", list(bands), {"long_name": "band"}),
        "y": ("y", y, along_y),
        "x": ("x", x, along_x),
        "spatial_ref": ((), 0, grid),
    }


def _axis_attributes(*, geographic: bool, unit: str) -> tuple[dict[str, str], dict[str, str]]:
    """CF attributes of y and x."""
    if geographic:
        names = (("latitude", "degrees_north"), ("longitude", "degrees_east"))
    else:
        names = (("projection_y_coordinate", unit), ("projection_x_coordinate", unit))
    y, x = ({"standard_name": name, "units": units} for name, units in names)
    return {**y, "axis": "Y"}, {**x, "axis": "X"}


def _check_axes(pixels: Float32, dates: Dates, bands: tuple[str, ...], geobox: GeoBox, observed: Bool) -> None:
    if pixels.ndim != 4 or pixels.dtype != np.float32:
        raise ValueError(f"pixels is {pixels.dtype} with {pixels.ndim} axes, must be float32 (T, C, H, W)")
    t, c, h, w = pixels.shape
    if dates.shape != (t,) or dates.dtype != np.dtype("datetime64[D]"):
        raise ValueError(f"dates has {dates.shape} entries of {dates.dtype}, pixels has T={t} and needs datetime64[D]")
    if np.any(dates[1:] <= dates[:-1]):
        raise ValueError("dates are not sorted and unique")
    if len(bands) != c or len(set(bands)) != c:
        raise ValueError(f"bands {bands} does not name C={c} bands uniquely")
    if tuple(geobox.shape) != (h, w):
        raise ValueError(f"geobox is {tuple(geobox.shape)}, pixels are {(h, w)}")
    if observed.shape != (t, h, w) or observed.dtype != bool:
        raise ValueError(f"observed is {observed.dtype} {observed.shape}, must be bool {(t, h, w)}")
