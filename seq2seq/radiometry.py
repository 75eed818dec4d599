"""Inverse pairs between what files store and what the library computes with: DN <-> reflectance, linear power <-> dB.

Also the detection of both units from what a file states (scale and offset tags) or, for radar, from its values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seq2seq.errors import InvalidPixelsError
from seq2seq.sequence import Bool, Float32

S1Units = Literal["db", "linear"]

# Sentinel-2 products store reflectance x 10000 (Sentinel-2 Products Specification Document, QUANTIFICATION_VALUE).
S2_SCALE = 1e-4
S2_DTYPES = ("uint16", "int16", "uint32", "int32", "float32", "float64")
S1_DTYPES = ("float32", "float64", "uint16", "int16", "uint32", "int32")

# Median power of land, sea and town together stays below 1; larger values are digital numbers or amplitudes.
HIGHEST_MEDIAN_LINEAR = 5.0


@dataclass(frozen=True)
class Radiometry:
    """The storage of reflectance in a file: `reflectance = DN * scale + offset`, both unitless.

    dtype: numpy name. nodata: the DN that stands for "nothing was observed", or None where the file declares none.
    tags: scale and offset as the file's own tags state them, (1, 0) where it has none; results carry the same.
    """

    dtype: str
    scale: float
    offset: float
    nodata: float | None
    tags: tuple[float, float] = field(default=(1.0, 0.0), compare=False)

    @property
    def is_integer(self) -> bool:
        """True where DN are whole numbers."""
        return bool(np.issubdtype(np.dtype(self.dtype), np.integer))

    def to_reflectance(self, dn: NDArray[Any]) -> Float32:
        """Computes reflectance, DN * scale + offset, float32, any shape. No-data DN give values of no meaning."""
        # float64 in between: a float32 scale would already be off by 1e-8 relative, which uint32 DN can see
        return (dn * np.float64(self.scale) + np.float64(self.offset)).astype(np.float32)

    def to_dn(self, reflectance: ArrayLike) -> NDArray[Any]:
        """Inverts `to_reflectance`: rounded and clipped to the dtype; ValueError where reflectance is NaN.

        A real pixel never becomes the no-data value: it moves to the neighbouring DN.
        """
        dn = (np.asarray(reflectance, dtype=np.float64) - self.offset) / self.scale
        if np.isnan(dn).any():
            raise ValueError("reflectance holds NaN, which no DN can store")
        if not self.is_integer:
            return self._avoid_nodata(dn.astype(self.dtype))
        limits = np.iinfo(self.dtype)
        return self._avoid_nodata(np.clip(np.rint(dn), limits.min, limits.max).astype(self.dtype))

    def has_data(self, dn: NDArray[Any]) -> Bool:
        """Tells for DN (C, H, W) where (H, W) every band holds something else than the no-data value.

        Where an integer file declares none, a pixel with all bands at 0 (Sentinel-2's own fill) or all at the dtype's
        maximum (the fill of several data cubes) has no data either.
        """
        if self.nodata is not None and math.isnan(self.nodata):
            return np.asarray(~np.isnan(dn).any(axis=0))
        if self.nodata is not None:
            return np.asarray((dn != np.asarray(self.nodata, dtype=self.dtype)).all(axis=0))
        if not self.is_integer:
            return np.ones(dn.shape[1:], dtype=bool)
        return np.asarray((dn != 0).any(axis=0) & (dn != np.iinfo(self.dtype).max).any(axis=0))

    def _avoid_nodata(self, dn: NDArray[Any]) -> NDArray[Any]:
        if self.nodata is None or math.isnan(self.nodata):
            return dn
        nodata = np.asarray(self.nodata, dtype=self.dtype)
        if not self.is_integer:
            return np.where(dn == nodata, np.nextafter(nodata, np.asarray(np.inf, dtype=self.dtype)), dn)
        step = 1 if nodata < np.iinfo(self.dtype).max else -1
        return np.where(dn == nodata, nodata + np.asarray(step, dtype=np.int8).astype(self.dtype), dn)


def detect_radiometry(
    name: str, *, dtype: str, scales: Sequence[float], offsets: Sequence[float], nodata: float | None
) -> Radiometry:
    """Returns the radiometry that a file's header states, else that of Sentinel-2 products.

    Without tags, integers are reflectance x 10000 and floats are reflectance. Tags win: `scale 0.0001, offset -0.1`
    is processing baseline 04.00. An offset without a scale (`-1000`) is in DN. Raises `InvalidPixelsError`, naming the
    file `name`, for a dtype that holds no reflectance and for bands that disagree.
    """
    if dtype not in S2_DTYPES:
        raise InvalidPixelsError(
            f"{name}: dtype {dtype} cannot hold reflectance; expected one of {', '.join(S2_DTYPES)}"
        )
    if len(set(scales)) > 1 or len(set(offsets)) > 1:
        raise InvalidPixelsError(f"{name}: bands differ in scale {tuple(scales)} or offset {tuple(offsets)}")
    scale, offset = float(scales[0]), float(offsets[0])
    if not (math.isfinite(scale) and math.isfinite(offset) and scale > 0):
        raise InvalidPixelsError(f"{name}: scale {scale} and offset {offset} cannot be; scale must be above 0")
    tags = scale, offset
    if scale == 1.0 and np.issubdtype(np.dtype(dtype), np.integer):
        scale, offset = S2_SCALE, offset * S2_SCALE
    return Radiometry(dtype, scale, offset, _storable(nodata, dtype), tags)


def _storable(nodata: float | None, dtype: str) -> float | None:
    """`nodata`, or None where `dtype` cannot hold it, so that no pixel ever equals it."""
    if nodata is None or not np.issubdtype(np.dtype(dtype), np.integer):
        return nodata
    limits = np.iinfo(dtype)
    if not math.isfinite(nodata) or nodata != round(nodata) or not limits.min <= nodata <= limits.max:
        return None
    return nodata


def to_db(linear: NDArray[Any]) -> Float32:
    """Converts power to dB, `10 log10(linear)`, float32; NaN where power is not positive: no target returns that."""
    power = linear.astype(np.float32)
    positive = power > 0
    return np.where(positive, 10 * np.log10(np.where(positive, power, 1)), np.nan).astype(np.float32)


def to_linear(db: NDArray[Any]) -> Float32:
    """Inverts `to_db`: `10 ** (db / 10)`, float32."""
    return np.power(10, db.astype(np.float64) / 10).astype(np.float32)


def detect_s1_units(name: str, values: NDArray[Any]) -> S1Units | None:
    """Detects dB or linear power from a sample of values (any shape); None where none is finite and non-zero.

    Land and sea return less than they receive, so most values in dB are negative; power never is, except for a little
    noise subtracted too much. Raises `InvalidPixelsError`, naming the file `name`, where neither fits.
    """
    sample = values[np.isfinite(values) & (values != 0)]
    if not sample.size:
        return None
    negative, median = float((sample < 0).mean()), float(np.median(sample))
    if negative >= 0.5:
        return "db"
    if negative > 0.05:
        raise InvalidPixelsError(
            f"{name}: {negative:.0%} of the values are negative, neither dB nor linear power; set s1_units to say which"
        )
    if median > HIGHEST_MEDIAN_LINEAR:
        raise InvalidPixelsError(
            f"{name}: the median is {median:.4g}, neither dB nor linear power; calibrate to sigma0"
        )
    return "linear"
