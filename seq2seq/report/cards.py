"""HTML for notebooks: a card of facts and pictures, and the bar of a run that goes on."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seq2seq.progress import Progress
from seq2seq.report.preview import choose_dates
from seq2seq.report.quicklook import Stretch, display_bands
from seq2seq.report.templates import template
from seq2seq.report.thumbnails import picture_jpeg
from seq2seq.sequence import Bool, ImageSequence

PICTURES, PICTURE_PX = 5, 120


def progress_html(progress: Progress, messages: Sequence[str]) -> str:
    """The bar, its phase and the remaining time; then the messages."""
    return _macro("progress")(progress, messages)


def card(title: str, facts: Sequence[tuple[str, str]], sequence: ImageSequence, shown: Bool | None = None) -> str:
    """HTML: title, facts, and a few dates as pictures. shown: (T, H, W), other pixels are grey; None: all."""
    pictures = _pictures(sequence, shown)
    return _macro("card")(title, facts, pictures)


def _pictures(sequence: ImageSequence, shown: Bool | None) -> list[tuple[str, bytes]]:
    """A choice of dates over the whole time, small, in one stretch."""
    dates, _, height, width = sequence.shape
    if not dates or not sequence.pixels.size:
        return []
    hidden = np.zeros(dates) if shown is None else 1 - shown.mean(axis=(1, 2))
    chosen = np.array(choose_dates(hidden, PICTURES))
    step = max(1, -(-max(height, width) // PICTURE_PX))
    bands = [sequence.bands.index(band) for band in display_bands(sequence.bands)]
    small: Any = sequence.pixels[np.ix_(chosen, np.array(bands))][:, :, ::step, ::step].copy()
    if shown is not None:
        visible = np.broadcast_to(shown[chosen][:, None, ::step, ::step], small.shape)
        small = np.where(visible, small, np.float32(np.nan))
    values = np.moveaxis(small, 1, 0).reshape(len(bands), -1)
    values = values[:, np.isfinite(values).all(0)]
    stretch = Stretch.of(values if values.size else np.array([[0.0, 0.3]] * len(bands), dtype=np.float32))
    return [
        (str(sequence.dates[t]), picture_jpeg(stretch.apply(image))) for t, image in zip(chosen, small, strict=True)
    ]


def _macro(name: str) -> Callable[..., str]:
    macro: Callable[..., str] = getattr(template("notebook.html.jinja").module, name)
    return macro
