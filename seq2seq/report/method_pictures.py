"""What a comparison shows of one case and of each method on it: small pictures, and series of a few pixels.

Arrays alone, by name, so that they are kept in one compressed file without pickles.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from io import BytesIO
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seq2seq.report.quicklook import UInt8
from seq2seq.sequence import Bool, Float32

Arrays = Mapping[str, NDArray[Any]]
_OWN = "alone_"


class _Named:
    """Frozen arrays that go into a file by the names of their fields."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The inverse of `from_arrays`."""
        return {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_arrays(cls, arrays: Arrays, prefix: str = "") -> Self:
        """Raises KeyError where something is missing."""
        return cls(**{each.name: arrays[prefix + each.name] for each in fields(cls)})  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class CasePicture(_Named):
    """A case, the same whatever the method.

    t: index of the pictured date. dates: (T,) YYYY-MM-DD. bands: (C,) names. colours: names of the bands shown. low,
    high: their stretch. cell_px: pixels along the side of a picture's. hidden_share: of the date's pixels. truth,
    visible: (h, w, 3). places: (P, 2) row and column of the chosen pixels. series: (P, T, C) reflectance, NaN where not
    observed. shown: (P, T) what methods saw. scored: (P, T) what they are scored on.
    """

    t: NDArray[np.int64]
    dates: NDArray[np.str_]
    bands: NDArray[np.str_]
    colours: NDArray[np.str_]
    low: Float32
    high: Float32
    cell_px: NDArray[np.int64]
    hidden_share: NDArray[np.float32]
    truth: UInt8
    visible: UInt8
    places: NDArray[np.int64]
    series: Float32
    shown: Bool
    scored: Bool

    @property
    def date(self) -> str:
        """The pictured one."""
        return str(self.dates[int(self.t)])


@dataclass(frozen=True, eq=False)
class Predicted(_Named):
    """One prediction of the case: image (h, w, 3) of the date; error (h, w) mean over bands of what was scored, NaN
    elsewhere, reflectance; rmse over what was scored of the date and all bands; series (P, T, C) of the chosen
    pixels."""

    image: UInt8
    error: NDArray[np.float16]
    rmse: NDArray[np.float64]
    series: Float32


@dataclass(frozen=True, eq=False)
class MethodPicture:
    """result: what a user gets. alone: the method's own prediction, None where it has none."""

    case: CasePicture
    result: Predicted
    alone: Predicted | None

    def to_bytes(self) -> bytes:
        """The predictions; the case is kept by itself, once for all methods."""
        own = {} if self.alone is None else {_OWN + name: array for name, array in self.alone.to_arrays().items()}
        return packed({**self.result.to_arrays(), **own})

    @classmethod
    def from_bytes(cls, content: bytes, case: CasePicture) -> Self:
        """The inverse of `to_bytes`. Raises KeyError or ValueError where the content is something else."""
        arrays = unpacked(content)
        alone = Predicted.from_arrays(arrays, _OWN) if any(name.startswith(_OWN) for name in arrays) else None
        return cls(case, Predicted.from_arrays(arrays), alone)


def packed(arrays: Arrays) -> bytes:
    """One compressed file."""
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, NDArray[Any]]:
    """The inverse of `packed`. Raises ValueError, or what zipfile raises, where the content is something else."""
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
