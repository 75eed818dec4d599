"""Who masked what: a picture of each date in one colour a source or rule, and the figures beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.readers.clouds.labels import LABELS, colours_of
from seq2seq.readers.clouds.recording import MaskedBy
from seq2seq.report.figures import percent
from seq2seq.report.schema import MaskedReport
from seq2seq.report.thumbnails import encoded


@dataclass(frozen=True)
class MaskedRow:
    """One source or rule in the legend. share: of all dates and pixels, in words."""

    title: str
    colour: str
    share: str


@dataclass(frozen=True)
class MaskedDate:
    """One date. picture: PNG, clear is transparent. words: who masked how much, the most first."""

    date: str
    picture: bytes
    words: str


def describe_masked(masked: MaskedBy) -> MaskedReport:
    """The report's part on who masked what."""
    return MaskedReport(masked.sun, {name: tuple(map(int, counts)) for name, counts in masked.pixels.items()})


def masked_pictures(masked: MaskedBy) -> list[bytes]:
    """A PNG for each date."""
    from PIL import Image

    return [encoded(Image.fromarray(colours_of(codes), "RGBA"), "PNG", optimize=True) for codes in masked.picture]


def masked_rows(masked: Mapping[str, Any], grid: Mapping[str, Any]) -> list[MaskedRow]:
    """The legend, in the order of labels. masked, grid: values of report.json."""
    pixels = grid["width"] * grid["height"]
    return [
        MaskedRow(label.title, label.colour, percent(float(np.mean(masked["pixels"][label.name])) / pixels))
        for label in LABELS
        if label.name in masked["pixels"]
    ]


def masked_dates(
    masked: Mapping[str, Any], grid: Mapping[str, Any], dates: Sequence[str], pictures: Sequence[bytes]
) -> list[MaskedDate]:
    """One for each date that was acquired and has a picture. Raises ValueError for pictures of other dates."""
    titles = {label.name: label.title for label in LABELS}
    pixels = grid["width"] * grid["height"]
    shown = []
    for t, (date, picture) in enumerate(zip(dates, pictures, strict=True)):
        shares = sorted(((counts[t] / pixels, titles[name]) for name, counts in masked["pixels"].items()), reverse=True)
        words = ", ".join(f"{title} {percent(share)}" for share, title in shares if share > 0)
        shown.append(MaskedDate(date, picture, words or "all clear"))
    return shown
