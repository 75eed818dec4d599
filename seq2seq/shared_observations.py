"""The observations of an input as files that processes map into memory: one copy of them, however many look at it.

Reading the input again in every process would cost what reading costs (decoding, warping S1, detecting clouds) as many
times over, and as many copies in memory. Mapped files are the very values that this process has checked and read.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from seq2seq.errors import OutputError
from seq2seq.radar_series import RadarSeries
from seq2seq.sequence import ImageSequence, Observations

_PREFIX = "shared-"


@contextmanager
def shared_folder(beside: Path) -> Iterator[Path]:
    """A folder in `beside` that is gone afterwards. One that a killed program has left there is removed first.

    Its lock, which the system lets go of with the program, tells whether somebody uses it. Raises `OutputError`.
    """
    try:
        beside.mkdir(parents=True, exist_ok=True)
        for path in beside.glob(f"{_PREFIX}*"):
            with _locked(path) as ours:
                if ours:
                    shutil.rmtree(path, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=beside))
    except OSError as error:
        raise OutputError(f"{beside}: no folder for several processes: {error.strerror or error}") from error
    try:
        with _locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the lock is ours now: nobody else has it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        ours = False
        with suppress(OSError):  # somebody has it, or this file system knows no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = True
        yield ours
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class _Facts:
    """Of a sequence, what is no array of pixels. orbits: of all radar acquisitions."""

    bands: tuple[str, ...]
    geobox: GeoBox
    orbits: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        grid = {"shape": list(self.geobox.shape), "affine": list(self.geobox.affine)[:6], "crs": str(self.geobox.crs)}
        return {"bands": list(self.bands), "orbits": list(self.orbits), "grid": grid}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        grid = values["grid"]
        height, width = grid["shape"]
        geobox = GeoBox((height, width), Affine(*grid["affine"]), grid["crs"])
        return cls(tuple(values["bands"]), geobox, tuple(values["orbits"]))


@dataclass(frozen=True)
class SharedObservations:
    """Observations whose arrays lie in `folder`, a `.npy` each; small enough to be sent to another process."""

    folder: Path
    s2: _Facts
    s1: _Facts | None
    series: _Facts | None

    @classmethod
    def write(cls, observations: Observations, inside: Path, *, without: str) -> Self:
        """Writes the arrays into a new folder `inside` one. The inverse of `read`.

        Raises `OutputError`, which ends with how to do `without` such files.
        """
        s2, s1 = observations.s2, observations.s1
        orbits = () if observations.s1_series is None else observations.s1_series.orbits
        series = None if observations.s1_series is None else observations.s1_series.read()
        arrays: dict[str, NDArray[Any]] = {
            "cloud_mask": observations.cloud_mask,
            "dates": s2.dates,
            "s1_dates": observations.s1_dates,
            "requested": observations.requested,
        }
        if series is not None:
            arrays["series_dates"] = series.dates
        for name, sequence in (("s2", s2), ("s1", s1), ("series", series)):
            if sequence is not None:
                arrays |= {f"{name}_pixels": sequence.pixels, f"{name}_observed": sequence.observed}
        try:
            folder = Path(tempfile.mkdtemp(dir=inside))
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
        except OSError as error:
            raise OutputError(
                f"{inside}: the sequence cannot be laid there for several processes: {error.strerror or error}; "
                f"{without}"
            ) from error
        return cls(
            folder,
            _Facts(s2.bands, s2.geobox),
            None if s1 is None else _Facts(s1.bands, s1.geobox),
            None if series is None else _Facts(series.bands, series.geobox, orbits),
        )

    def read(self) -> Observations:
        """Maps the arrays. What is written into them stays in this process. Raises OSError where they are gone."""
        return Observations(
            s2=self._sequence("s2", self.s2),
            s1=None if self.s1 is None else self._sequence("s1", self.s1),
            cloud_mask=self._array("cloud_mask"),
            s1_dates=self._array("s1_dates"),
            requested=self._array("requested"),
            s1_series=None if self.series is None else self._series(self.series),
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns what another machine needs beside the files, as plain JSON values."""
        return {
            name: each and each.to_dict() for name, each in (("s2", self.s2), ("s1", self.s1), ("series", self.series))
        }

    @classmethod
    def from_dict(cls, folder: Path, values: Mapping[str, Any]) -> Self:
        """Makes it of that; folder: where its files are now."""
        s2, s1, series = (values[name] and _Facts.from_dict(values[name]) for name in ("s2", "s1", "series"))
        return cls(folder, s2, s1, series)

    def remove(self) -> None:
        """Deletes the files; who has mapped them keeps them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _series(self, facts: _Facts) -> RadarSeries:
        return RadarSeries.of(self._sequence("series", facts, dates="series_dates"), facts.orbits)

    def _sequence(self, name: str, facts: _Facts, *, dates: str = "dates") -> ImageSequence:
        return ImageSequence(
            pixels=self._array(f"{name}_pixels"),
            dates=self._array(dates),
            bands=facts.bands,
            geobox=facts.geobox,
            observed=self._array(f"{name}_observed"),
        )

    def _array(self, name: str) -> NDArray[Any]:
        """A plain array: what is computed from a `memmap` would be one, too."""
        return np.asarray(np.load(self.folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)).view(np.ndarray)
