"""Pictures for programs and notebooks: all dates on a sheet, or one of them large, as a PIL image."""

from typing import Any

import numpy as np
from PIL.Image import Image

from seq2seq.errors import MissingDataError
from seq2seq.looking.look import Request, draw
from seq2seq.looking.scene import Scene, nearest_day
from seq2seq.looking.views import CHOICES, Choice, possible_views
from seq2seq.wording import nearest


def plot(scene: Scene, date: Any = None, bands: Choice | None = None) -> Image:
    """Draws all dates of a scene, or `date` alone. bands: None is what there is, natural colour first.

    Raises `MissingDataError` for another date, and for bands that are not there.
    """
    info = scene.info
    if bands is not None and bands not in CHOICES:
        raise MissingDataError(f"bands {bands!r}: is none of {', '.join(CHOICES)}{nearest(str(bands), CHOICES)}")
    if not info.dates:
        raise MissingDataError(f"{info.name}: has no dates to show")
    possible = possible_views(info.bands, info.s1_bands)
    if bands is None and not info.bands:
        bands = "s1"
    if bands is not None and bands not in possible:
        there = (
            f"{' '.join((*info.bands, *info.s1_bands))}, which make {', '.join(possible) or 'none of these pictures'}"
        )
        raise MissingDataError(f"bands {bands!r}: this {info.name} has {there}; leave it out to see what there is")
    day = None if date is None else known_day(date, info.dates, of=info.name)
    picture, _ = draw(scene, Request(bands=bands, date=day))
    return picture


def known_day(date: Any, dates: tuple[str, ...], *, of: str) -> str:
    """The day as dates name it: of a text, a `datetime.date`, a `numpy.datetime64`. Raises `MissingDataError`."""
    try:
        day = str(np.datetime64(date, "D"))
    except ValueError:
        day = str(date)
    if day in dates:
        return day
    some = ", ".join(dates[:3]) + (f" and {len(dates) - 3} more, to {dates[-1]}" if len(dates) > 3 else "")
    raise MissingDataError(f"{day} is no date of this {of}, which has {some}; {nearest_day(day, dates)}")
