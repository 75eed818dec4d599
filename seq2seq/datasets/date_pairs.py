"""Which dates of a SEN12MS-CR-TS patch are input and which is the target: by the authors' file, or by their rule.

Their file, `3_test_s2cloudless_mask.npy`, is a pickle, which may run anything when it is loaded: it never is. Converted
to JSON, `[[[0, 1, 2], 17], ...]`, or to an .npz of `input` (P, 3) and `target` (P,), it is read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq.errors import InputError, UnreadableFileError
from seq2seq.wording import one_line

INPUTS = 3
_STEM = "{inputs}_{split}_s2cloudless_mask"
CONVERSION = (
    "python -c \"import json, numpy; pairs = numpy.load('{stem}.npy', allow_pickle=True).item(); "
    "json.dump([[[int(i) for i in p['input']], int(p['target'])] for _, p in sorted(pairs.items())], "
    "open('{stem}.json', 'w'))\""
)


@dataclass(frozen=True)
class DatePair:
    """Positions in the list of dates, 0 to 29."""

    inputs: tuple[int, ...]
    target: int


def find_pairs(root: Path, split: str) -> list[DatePair] | None:
    """Reads the converted file of a split, None where there is none. Raises `InputError` for a pickle."""
    stem = _STEM.format(inputs=INPUTS, split=split)
    for suffix, read in ((".json", _read_json), (".npz", _read_npz)):
        path = root / f"{stem}{suffix}"
        if path.is_file():
            return _checked(path, *read(path))
    pickle = root / f"{stem}.npy"
    if pickle.is_file():
        raise InputError(
            f"{pickle}: is a pickle, which can run any code and is never loaded; where you trust it, convert it: "
            f"{CONVERSION.format(stem=stem)}; or move it away, and dates are chosen by rule",
            file=str(pickle),
        )
    return None


def choose_pair(coverage: Sequence[float]) -> DatePair | None:
    """Chooses by the authors' rule: the target is the (earliest) least cloudy date, inputs are the first three others.

    Theirs takes the target as an input where it is among the first three; a method would see what it is scored on. None
    where there are too few dates.
    """
    if len(coverage) <= INPUTS:
        return None
    target = int(np.argmin(coverage))
    others = [index for index in range(len(coverage)) if index != target]
    return DatePair(tuple(others[:INPUTS]), target)


def _read_json(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"))
        return _whole([each[0] for each in pairs]), _whole([each[1] for each in pairs])
    except (OSError, ValueError, TypeError, IndexError, KeyError) as error:
        raise UnreadableFileError(
            f"{path}: is no list of [[inputs], target] by patch ({one_line(error, 100)})", file=str(path)
        ) from error


def _read_npz(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return _whole(arrays["input"]), _whole(arrays["target"])
    except Exception as error:  # foreign bytes: whatever is wrong is the file's fault
        raise UnreadableFileError(
            f"{path}: has no whole numbers `input` (P, {INPUTS}) and `target` (P,) ({one_line(error, 100)})",
            file=str(path),
        ) from error


def _whole(values: object) -> NDArray[np.int64]:
    found = np.asarray(values)
    if not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"{found.dtype}, must be whole numbers")
    return found.astype(np.int64)


def _checked(path: Path, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> list[DatePair]:
    if inputs.ndim != 2 or targets.shape != inputs.shape[:1]:
        raise UnreadableFileError(
            f"{path}: {inputs.shape} inputs and {targets.shape} targets are no pairs", file=str(path)
        )
    return [DatePair(tuple(map(int, row)), int(target)) for row, target in zip(inputs, targets, strict=True)]
