"""What of an image a picture shows: natural colour, false colour, the vegetation index, radar, or one band as grey."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seq2seq.bands import FALSE_COLOURS, NATURAL_COLOUR, S1_BANDS
from seq2seq.errors import MissingDataError
from seq2seq.radiometry import to_db, to_linear
from seq2seq.report.quicklook import display_bands
from seq2seq.report.series import ndvi, ndvi_bands, ndvi_sigma
from seq2seq.sequence import Float32

Choice = Literal["rgb", "false", "ndvi", "s1"]
Kind = Literal["colour", "index", "radar"]
FALSE_COLOUR = FALSE_COLOURS[0]
RATIO = "VV-VH"
CHOICES: tuple[Choice, ...] = ("rgb", "false", "ndvi", "s1")


@dataclass(frozen=True)
class View:
    """A way to show an image. bands: those that are read, B of them. shown: the channels made of them, one or three.

    title: in words, with the bands.
    """

    kind: Kind
    bands: tuple[str, ...]
    shown: tuple[str, ...]
    title: str

    @property
    def radar(self) -> bool:
        """True where the bands are of S1."""
        return self.kind == "radar"

    @property
    def unit(self) -> str:
        """Of what is shown."""
        return {"colour": "reflectance", "index": "NDVI", "radar": "dB"}[self.kind]

    def additive(self, pixels: Float32) -> Float32:
        """(..., B, h, w) as stored -> what may be averaged over pixels: reflectance, and power in place of dB."""
        return to_linear(pixels) if self.radar else pixels

    def channels(self, means: Float32) -> Float32:
        """(..., B, h, w) of `additive` -> (..., C, h, w) as shown: reflectance, index or dB. NaN stays NaN."""
        if self.kind == "index":
            return ndvi(means[..., 0, :, :], means[..., 1, :, :])[..., None, :, :]
        if not self.radar:
            return means
        db = to_db(means)
        if self.shown != (*S1_BANDS, RATIO):
            return db
        return np.concatenate([db, db[..., :1, :, :] - db[..., 1:, :, :]], axis=-3)

    def uncertainty(self, values: Float32, sigma: Float32) -> Float32:
        """(..., B, h, w) reflectance and its sigma -> (..., h, w) sigma of what is shown; of colours the mean's."""
        if self.kind != "index":
            return np.asarray(sigma.mean(axis=-3), dtype=np.float32)
        (red, infrared), (red_sigma, infrared_sigma) = (np.moveaxis(each, -3, 0) for each in (values, sigma))
        return ndvi_sigma(red, infrared, red_sigma, infrared_sigma)


def choose_view(
    asked: Choice | None, bands: Sequence[str], s1_bands: Sequence[str], *, name: str
) -> tuple[View, str | None]:
    """The view that was asked for, or of what is there, and a line on it where that is not natural colour.

    name: what the bands are of, for the error. Raises `MissingDataError` where bands that were asked for are missing.
    """
    if asked is None:
        view = _colours(display_bands(bands))
        lacking = [band for band in NATURAL_COLOUR if band not in view.bands]
        return view, f"no {' '.join(lacking)}: shown is {view.title}" if view.bands != NATURAL_COLOUR else None
    possible = possible_views(bands, s1_bands)
    if asked not in possible:
        raise MissingDataError(_lacking(asked, bands, s1_bands, possible, name))
    view = possible[asked]
    return view, f"S1 has {view.bands[0]} alone: shown as grey" if view.radar and len(view.bands) == 1 else None


def possible_views(bands: Sequence[str], s1_bands: Sequence[str]) -> dict[Choice, View]:
    """Every view that these bands allow."""
    found: dict[Choice, View] = {}
    triples: tuple[tuple[Choice, tuple[str, ...]], ...] = (("rgb", NATURAL_COLOUR), ("false", FALSE_COLOUR))
    found |= {choice: _colours(triple) for choice, triple in triples if set(triple) <= set(bands)}
    if pair := ndvi_bands(bands):
        found["ndvi"] = View("index", pair, ("NDVI",), f"NDVI of {pair[0]} and {pair[1]}")
    if there := tuple(band for band in S1_BANDS if band in s1_bands):
        found["s1"] = radar_view(there)
    return found


def radar_view(bands: tuple[str, ...]) -> View:
    """S1: VV, VH and their ratio as red, green and blue, else the one that is there."""
    shown = (*bands, RATIO) if bands == S1_BANDS else bands[:1]
    return View("radar", bands if len(shown) > 1 else shown, shown, f"Sentinel-1 {', '.join(shown)}")


def _colours(bands: tuple[str, ...]) -> View:
    word = "natural colour" if bands == NATURAL_COLOUR else "false colour" if len(bands) > 1 else "grey"
    return View("colour", bands, bands, f"{word} {' '.join(bands)}")


def _lacking(
    asked: Choice, bands: Sequence[str], s1_bands: Sequence[str], possible: dict[Choice, View], name: str
) -> str:
    """What is missing, what there is, and what can be shown."""
    needed = {"rgb": NATURAL_COLOUR, "false": FALSE_COLOUR, "ndvi": ("B04", "B08 or B8A"), "s1": S1_BANDS}[asked]
    missing = [band for band in needed if not set(band.split(" or ")) & {*bands, *s1_bands}]
    others = "".join(f" or --bands {choice}" for choice in possible)
    lacks = "has no Sentinel-1" if asked == "s1" else f"lacks {', '.join(missing)}; there are {', '.join(bands)}"
    remedy = f"leave it out{others.replace(' or', ', or', 1)}"
    return f"{name}: --bands {asked} needs {', '.join(needed)}, and it {lacks}; {remedy}"
