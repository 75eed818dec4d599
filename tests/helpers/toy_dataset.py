"""A data set of simulated triplets, a file each. Run as a program it is the command line that knows this set."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import pytest

from seq2seq.bands import TEN_METRE
from seq2seq.datasets.base import DatasetInfo, Sample
from seq2seq.errors import MissingDataError, UnreadableFileError
from seq2seq.simulation.simulate import simulate

# NumPy parses headers as Python, which CPython 3.11 now and then fails to do in two threads at once (gh-106905).
_PARSING = Lock()


@dataclass(frozen=True)
class ToySamples:
    """The files of a split."""

    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        try:
            with _PARSING, np.load(self.files[index], allow_pickle=False) as arrays:
                given = {"s1": None, **{name: arrays[name] for name in arrays.files}}
                return Sample(name=self.name(index), bands=TEN_METRE, **given)
        except ValueError as error:
            raise UnreadableFileError(f"{self.files[index]}: no triplet", file=str(self.files[index])) from error

    def name(self, index: int) -> str:
        return self.files[index].stem


def open_toy(folder: Path, split: str) -> ToySamples:
    if not (folder / split).is_dir():
        raise MissingDataError(f"{folder}: has no folder {split}; toy has train and val")
    return ToySamples(tuple(sorted((folder / split).glob("*.npz"))))


TOY = DatasetInfo(
    name="toy",
    title="Toy triplets",
    about="Simulated.",
    bands=TEN_METRE,
    splits={"train": ("1", "2"), "val": ("3",)},
    open=open_toy,
    source="Nobody, Nothing, 2026",
    licence="CC0",
)


def write_toy(folder: Path, *, train: int = 8, val: int = 3, size: int = 24, s1: bool = True) -> Path:
    """Each date of a simulated sequence with its clouds, and its truth."""
    for split, count, seed in (("train", train, 1), ("val", val, 2)):
        made = simulate(dates=count, size=size, bands=TEN_METRE, cloud=0.4, seed=seed)
        (folder / split).mkdir(parents=True)
        for date in range(count):
            one = slice(date, date + 1)
            nearest = int(np.abs(made.s1.dates - made.s2.dates[date]).argmin())
            arrays = {
                "s2": made.s2.pixels[one], "valid": np.ones_like(made.cloud_mask[one]), "cloud": made.cloud_mask[one],
                "dates": made.s2.dates[one], "truth": made.truth.pixels[one], "asked": made.s2.dates[one],
                "scored": np.ones_like(made.cloud_mask[one]),
            }  # fmt: skip
            radar = {"s1": made.s1.pixels[nearest : nearest + 1]} if s1 else {}
            np.savez(folder / split / f"{date:03}.npz", **arrays, **radar)
    return folder


def write_toy_series(
    folder: Path, *, train: int = 4, val: int = 2, dates: int = 5, size: int = 16, whole: bool = False, s1: bool = True
) -> Path:
    """Simulated sequences, each of other land. One date of them is asked for, and not shown; of `whole` ones, all are
    shown, asked for and not scored, as data sets of series have it."""
    for split, count, seed in (("train", train, 10), ("val", val, 50)):
        (folder / split).mkdir(parents=True)
        for number in range(count):
            made = simulate(dates=dates, size=size, bands=TEN_METRE, cloud=0.4, seed=seed + number)
            radar = np.stack([made.s1.pixels[np.abs(made.s1.dates - date).argmin()] for date in made.s2.dates])
            asked = np.full(dates, True) if whole else np.arange(dates) == dates // 2
            shown = np.full(dates, True) if whole else ~asked
            arrays = {
                "s2": made.s2.pixels[shown], "valid": np.ones_like(made.cloud_mask[shown]),
                "cloud": made.cloud_mask[shown], "dates": made.s2.dates[shown], "asked": made.s2.dates[asked],
                "truth": (made.s2 if whole else made.truth).pixels[asked],
                "scored": np.full_like(made.cloud_mask[asked], not whole),
            }  # fmt: skip
            if s1:
                arrays |= {"s1": radar[shown], **({} if whole else {"asked_s1": radar[asked]})}
            np.savez(folder / split / f"{number:03}.npz", **arrays)
    return folder


def register(patch: pytest.MonkeyPatch) -> None:
    """The set is one of those that are known, until `patch` is undone."""
    patch.setattr("seq2seq.datasets.DATASETS", (TOY,))


def in_float32(patch: pytest.MonkeyPatch) -> None:
    """Also where the processor has bfloat16, in whose 8 bits two orders of a sum differ visibly."""
    patch.setattr("seq2seq.nn.devices.has_bfloat16", lambda _: False)


def main() -> None:
    patch = pytest.MonkeyPatch()
    register(patch)
    in_float32(patch)
    from seq2seq.commands.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()
