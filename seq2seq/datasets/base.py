"""The interface of a published data set: what it is, and the samples of a split, read one by one when asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from seq2seq.sequence import Bool, Dates, Float32


@dataclass(frozen=True, eq=False)
class Sample:
    """One case of a data set: dates as they were acquired, clouds and all, and the dates that are asked for.

    s2: (T, C, H, W) reflectance, clipped and scaled to 0..1 as the set's authors do. s1: (T, 2, H, W) VV and VH in dB,
    or None. valid: (T, H, W), where S2 has values at all. cloud: (T, H, W), cloud or shadow by the set's own masks; a
    protocol may hide more. dates: (T,), sorted. truth: (N, C, H, W) reflectance of the dates `asked`, (N,), scored
    where `scored`, (N, H, W). A date of `asked` that is not among `dates` is one of which nothing is seen.
    asked_s1: (N, 2, H, W), radar of the dates that are asked for, or None.
    """

    name: str
    s2: Float32
    s1: Float32 | None
    valid: Bool
    cloud: Bool
    dates: Dates
    bands: tuple[str, ...]
    truth: Float32
    scored: Bool
    asked: Dates
    asked_s1: Float32 | None = None


class Samples(Protocol):
    """The samples of a split, by number. Reading one reads its files alone."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Reads a sample. Raises `InputError` naming the file that cannot be read."""

    def name(self, index: int) -> str:
        """The name of a sample, without reading it."""


@dataclass(frozen=True)
class DatasetInfo:
    """A published data set as everybody sees it.

    splits: by name, the areas that belong to it, as published. open: finds the samples of a split below a folder and
    reads none of them; raises `InputError` where the folder is none of this set, or lacks the split. source: the paper;
    licence: of the data.
    """

    name: str
    title: str
    about: str
    bands: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    open: Callable[[Path, str], Samples]
    source: str
    licence: str
