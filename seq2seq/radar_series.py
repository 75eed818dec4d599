"""All radar acquisitions of a place on their own days, each with its orbit; pixels are read when they are asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from seq2seq.orbits import orbit_classes
from seq2seq.sequence import Bool, Dates, Float32, ImageSequence

# (pixels (N, C, h, w) dB, observed (N, h, w)) of a window of rows and columns.
ReadWindow = Callable[[slice, slice], tuple[Float32, Bool]]


@dataclass(frozen=True, eq=False)
class RadarSeries:
    """The acquisitions of S1, on S2's grid, also those that no S2 date was paired with.

    dates: (N,) datetime64[D], sorted, unique. bands: C names. orbits: (N,) names, equal for one orbit, see
    `seq2seq.orbits`. geobox: grid of the window. rows, columns: the window of what `load` reads.
    """

    dates: Dates
    bands: tuple[str, ...]
    orbits: tuple[str, ...]
    geobox: GeoBox
    load: ReadWindow
    rows: slice
    columns: slice

    def __post_init__(self) -> None:
        height, width = self.geobox.shape
        if len(self.orbits) != len(self.dates):
            raise ValueError(f"{len(self.orbits)} orbits for {len(self.dates)} dates")
        if (self.rows.stop - self.rows.start, self.columns.stop - self.columns.start) != (height, width):
            raise ValueError(f"rows {self.rows} and columns {self.columns} are no window of {height} x {width} px")

    @classmethod
    def of(cls, sequence: ImageSequence, orbits: tuple[str, ...]) -> "RadarSeries":
        """Takes acquisitions that are in memory already."""
        height, width = sequence.geobox.shape

        def load(rows: slice, columns: slice) -> tuple[Float32, Bool]:
            return sequence.pixels[:, :, rows, columns], sequence.observed[:, rows, columns]

        window = slice(0, height), slice(0, width)
        return cls(sequence.dates, sequence.bands, orbits, sequence.geobox, load, *window)

    @property
    def classes(self) -> NDArray[np.intp]:
        """(N,) the number of each acquisition's orbit, from 0, the most frequent first."""
        return orbit_classes(self.orbits)

    def read(self) -> ImageSequence:
        """Reads (N, C, H, W) dB, 0 where not observed. Every call reads anew, so that nothing is held between.

        Raises what reading raises: `InvalidPixelsError`, `UnreadableFileError`.
        """
        pixels, observed = self.load(self.rows, self.columns)
        return ImageSequence(pixels, self.dates, self.bands, self.geobox, observed)

    def loaded(self) -> "RadarSeries":
        """Returns the same in memory, which does without the files."""
        return RadarSeries.of(self.read(), self.orbits)

    def crop(self, rows: slice, columns: slice) -> "RadarSeries":
        """Returns a window of the window; nothing is read."""
        parts = [
            slice(whole.start + start, whole.start + stop)
            for whole, part in ((self.rows, rows), (self.columns, columns))
            for start, stop, _ in (part.indices(whole.stop - whole.start),)
        ]
        return replace(self, geobox=self.geobox[rows, columns], rows=parts[0], columns=parts[1])

    def age_days(self, dates: Dates) -> NDArray[np.int64]:
        """Counts (T, K) days from each of `dates` to the nearest acquisition of each orbit, by its class."""
        apart = np.abs((dates[:, None] - self.dates[None]).astype(np.int64))  # (T, N)
        classes = self.classes
        return np.stack([apart[:, classes == k].min(axis=1) for k in range(classes.max(initial=-1) + 1)], axis=1)

    def facts(self) -> list[tuple[str, str]]:
        """Lists names and facts for people, at a glance."""
        names = sorted(set(self.orbits) - {""})
        told = f" of orbit{'s' * (len(names) > 1)} {', '.join(names)}" if names else ""
        return [("S1 series", f"{len(self.dates)} acquisitions{told}")]

    def __repr__(self) -> str:
        return f"RadarSeries({', '.join(text for _, text in self.facts())})"
