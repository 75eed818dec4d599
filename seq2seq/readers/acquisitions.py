"""Rasters with a meaning: optical ones read as reflectance, radar ones as dB, masks as cloud."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from seq2seq.errors import InvalidPixelsError, concerning
from seq2seq.radiometry import Radiometry, S1Units, detect_s1_units, to_db
from seq2seq.readers.contents import Header, Raster, Window
from seq2seq.readers.warp import read_on
from seq2seq.sequence import Bool, Float32

# Reflectance below it is an undeclared no-data value: offsets of -1000 DN can reach -0.1, no lower.
LOWEST_REFLECTANCE = -0.25
# Backscatter outside it is none: the noise floor is near -30 dB, the brightest corner reflectors near 40 dB.
DB_RANGE = (-100.0, 60.0)
_SAMPLE_PX = 128
_SAMPLES_PER_AXIS = 3


@dataclass(frozen=True)
class OpticalAcquisition:
    """One date of S2."""

    raster: Raster
    radiometry: Radiometry
    bands: tuple[str, ...]

    def read(self, window: Window) -> tuple[Float32, Bool]:
        """(C, h, w) reflectance, finite, 0 without data; (h, w) True = has data.

        Raises `InvalidPixelsError` naming file, band and pixel for NaN, infinities and impossible reflectance.
        """
        dn = self.raster.read(window)
        has_data = self.radiometry.has_data(dn)
        reflectance = self.radiometry.to_reflectance(dn)
        reflectance[:, ~has_data] = 0
        self._check(reflectance, dn, window)
        return reflectance, has_data

    def _check(self, reflectance: Float32, dn: NDArray[Any], window: Window) -> None:
        if not self.radiometry.is_integer and not np.isfinite(reflectance).all():
            pixel = _first(~np.isfinite(reflectance))
            hint = "; declare NaN as the file's no-data value if it means that" if np.isnan(dn[pixel]) else ""
            raise _invalid(self.raster, self.bands, pixel, window, f"value {dn[pixel]}{hint}")
        if reflectance.min() < LOWEST_REFLECTANCE:
            pixel = _first(reflectance < LOWEST_REFLECTANCE)
            reason = (
                f"value {dn[pixel]} is reflectance {reflectance[pixel]:.3g}, below {LOWEST_REFLECTANCE}; if it means "
                "no data, declare it as the file's no-data value"
            )
            raise _invalid(self.raster, self.bands, pixel, window, reason)


@dataclass(frozen=True)
class RadarAcquisition:
    """One date of S1, on the grid of S2 whatever its own."""

    raster: Raster
    bands: tuple[str, ...]
    units: S1Units
    grid: GeoBox

    def read(self, window: Window) -> tuple[Float32, Bool]:
        """(C, h, w) backscatter in dB, finite, 0 without data; (h, w) True = has data.

        No data: NaN (outside the swath), the declared value (0 where none is), power that is not positive. Raises
        `InvalidPixelsError` for infinities and for values that no radar measures.
        """
        stored = self._stored(window)
        self._check(stored, np.isinf(stored), window, "is no backscatter; declare it as the file's no-data value")
        db = to_db(stored) if self.units == "linear" else stored
        with np.errstate(invalid="ignore"):
            impossible = (db < DB_RANGE[0]) | (db > DB_RANGE[1])
        self._check(stored, impossible, window, f"({self.units}) is outside {DB_RANGE[0]:g} to {DB_RANGE[1]:g} dB")
        has_data = np.asarray(np.isfinite(db).all(axis=0))
        return np.where(has_data, db, np.float32(0)), has_data

    def _stored(self, window: Window) -> Float32:
        """(C, h, w) in the file's units, NaN without data."""
        nodata = _radar_nodata(self.raster.header.nodata)
        return _scaled(read_on(self.raster, self.grid, window, nodata=nodata), self.raster)

    def _check(self, stored: Float32, wrong: Bool, window: Window, reason: str) -> None:
        if wrong.any():
            pixel = _first(wrong)
            raise _invalid(self.raster, self.bands, pixel, window, f"value {stored[pixel]:g} {reason}")


@dataclass(frozen=True)
class FlagMask:
    """One date of the user's own cloud mask that holds 0 and 1, on the grid of S2."""

    raster: Raster

    @property
    def header(self) -> Header:
        """The file's."""
        return self.raster.header

    def read(self, window: Window) -> Bool:
        """(h, w), True = cloud, shadow or no data: every value but 0."""
        return np.asarray(self.raster.read(window)[0] != 0)


def sampled_s1_units(raster: Raster) -> S1Units | None:
    """dB or linear power from 9 small windows spread over the raster; None where they hold no data."""
    nodata = _radar_nodata(raster.header.nodata)
    parts = []
    for window in sample_windows(raster.header):
        raw = raster.read(window)
        parts.append(_scaled(raw, raster)[raw != nodata])
    with concerning(raster.header.name, raster.header.date):
        return detect_s1_units(raster.header.name, np.concatenate(parts))


def sample_windows(header: Header) -> list[Window]:
    """9 small windows spread over a raster, fewer where it is small; they cover it where it is up to 384 px wide."""
    height, width = header.geobox.shape
    return [
        Window(row, min(height, row + _SAMPLE_PX), column, min(width, column + _SAMPLE_PX))
        for row in _spread(height)
        for column in _spread(width)
    ]


def _radar_nodata(declared: float | None) -> float:
    """0 where the file declares none: no power in linear units, and what swath borders are filled with in dB."""
    return 0.0 if declared is None else declared


def _scaled(raw: NDArray[Any], raster: Raster) -> Float32:
    scales, offsets = (
        np.asarray(per_band)[:, None, None] for per_band in (raster.header.scales, raster.header.offsets)
    )
    return np.asarray(raw * scales + offsets, dtype=np.float32)


def _spread(length: int) -> list[int]:
    last = max(0, length - _SAMPLE_PX)
    return sorted({round(last * index / (_SAMPLES_PER_AXIS - 1)) for index in range(_SAMPLES_PER_AXIS)})


def _first(wrong: Bool) -> tuple[int, ...]:
    """Index of the first True."""
    return tuple(int(index) for index in np.unravel_index(int(wrong.argmax()), wrong.shape))


def _invalid(
    raster: Raster, bands: tuple[str, ...], pixel: tuple[int, ...], window: Window, reason: str
) -> InvalidPixelsError:
    """An error about `pixel`, (band, row, column) in `window`."""
    header, band = raster.header, bands[pixel[0]]
    row, column = window.row + pixel[1], window.column + pixel[2]
    return InvalidPixelsError(
        f"{header.name}, band {band}, row {row}, column {column}: {reason}",
        file=header.name,
        date=header.date,
        band=band,
        row=row,
        column=column,
    )
