"""What sources say of a whole scene, kept in bits, and what the masks made of it: who masked how much, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seq2seq.readers.clouds.finishing import Evidence
from seq2seq.readers.clouds.labels import LABELS, UInt8
from seq2seq.readers.contents import Window
from seq2seq.readers.packed import PackedMask
from seq2seq.sequence import Bool

# The longer side of the picture of who masked what.
PICTURE_PX = 240


class Recorded:
    """All evidence of a sequence, one bit for each pixel, date and kind of evidence that there is."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape
        self._planes: dict[tuple[str, str], PackedMask] = {}

    def write(self, window: Window, kind: str, name: str, values: Bool) -> None:
        """Stores (T, h, w). kind: "cloud", "shadow", "dark", "dim" or "no_data", of the source `name`. What is nowhere
        True takes no room."""
        if (kind, name) in self._planes or values.any():
            self._planes.setdefault((kind, name), PackedMask(self._shape)).write(window, values)

    def read(self, window: Window, date: int) -> Evidence:
        """What is known of one date."""
        planes = {key: plane.read(window, date) for key, plane in self._planes.items()}
        nothing = np.zeros(window.shape, dtype=bool)
        return Evidence(
            no_data=planes.get(("no_data", ""), nothing),
            clouds={name: plane for (kind, name), plane in planes.items() if kind == "cloud"},
            shadows={name: plane for (kind, name), plane in planes.items() if kind == "shadow"},
            dark=planes.get(("dark", "")),
            dim=planes.get(("dim", "")),
        )


@dataclass(frozen=True, eq=False)
class MaskedBy:
    """Who masked what. pixels: by name of `labels.LABELS`, (T,) counts, of those that masked anything on any date.
    picture: (T, h, w) codes, every `every_px`th pixel. sun: how shadows were looked for, in words."""

    pixels: Mapping[str, NDArray[np.int64]]
    picture: UInt8
    every_px: int
    sun: str = ""

    def among(self, acquired: Bool) -> "MaskedBy":
        """The same on all dates, of which (T,) `acquired` ones have masks: nobody masked the others."""
        picture = np.zeros((len(acquired), *self.picture.shape[1:]), dtype=np.uint8)
        picture[acquired] = self.picture
        pixels = {name: np.zeros(len(acquired), dtype=np.int64) for name in self.pixels}
        for name, counts in self.pixels.items():
            pixels[name][acquired] = counts
        return replace(self, pixels=pixels, picture=picture)


@dataclass(eq=False)
class MaskLog:
    """Counts codes, and keeps every few pixels of them, while masks are finished window by window."""

    dates: int
    shape: tuple[int, int]
    _counts: NDArray[np.int64] = field(init=False)
    _picture: UInt8 = field(init=False)

    def __post_init__(self) -> None:
        self._counts = np.zeros((self.dates, 256), dtype=np.int64)
        self._picture = np.zeros((self.dates, *(len(self._inside(0, side)) for side in self.shape)), dtype=np.uint8)

    @property
    def every_px(self) -> int:
        """One pixel of so many is in the picture, in each direction."""
        return max(1, -(-max(self.shape) // PICTURE_PX))

    def add(self, window: Window, date: int, codes: UInt8) -> None:
        """(h, w) codes of one date."""
        self._counts[date] += np.bincount(codes.ravel(), minlength=256)
        rows, columns = self._inside(window.row, window.row_end), self._inside(window.column, window.column_end)
        every, half = self.every_px, self.every_px // 2
        picked = codes[rows.start - window.row :: every, columns.start - window.column :: every]
        to = [slice((each.start - half) // every, (each.start - half) // every + len(each)) for each in (rows, columns)]
        self._picture[date, to[0], to[1]] = picked[: len(rows), : len(columns)]

    def result(self, sun: str = "") -> MaskedBy:
        """All that was added."""
        counts = {label.name: self._counts[:, label.code] for label in LABELS}
        there = {name: each for name, each in counts.items() if each.any()}
        return MaskedBy(there, self._picture, self.every_px, sun)

    def _inside(self, start: int, end: int) -> range:
        """The picture's pixels from `start` (included) to `end` (excluded)."""
        every, half = self.every_px, self.every_px // 2
        return range(half + -(-(start - half) // every) * every if start > half else half, end, every)
