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


def card(
    title: str,
    facts: Sequence[tuple[str, str]],
    sequence: ImageSequence,
    shown: Bool | None = None,
    *,
    clouds: Bool | None = None,
    reconstructed: Bool | None = None,
) -> str:
    """HTML: title, facts, a strip of the share of each date that is hidden or was reconstructed, a few as pictures.

    shown: (T, H, W), other pixels are grey; None: all. clouds, reconstructed: (T, H, W) what the strip is of, where it
    is not of what is not shown.
    """
    return _macro("card")(title, facts, _strip(sequence, shown, clouds, reconstructed), _pictures(sequence, shown))


def _strip(
    sequence: ImageSequence, shown: Bool | None, clouds: Bool | None, reconstructed: Bool | None
) -> tuple[str, list[tuple[str, float]]] | None:
    """What is counted, and its share of each date, in percent."""
    hidden = None if shown is None else ~shown
    kinds = (("reconstructed", reconstructed), ("cloud, shadow or no data", clouds), ("not observed", hidden))
    what, flags = next(((what, flags) for what, flags in kinds if flags is not None), ("", None))
    if flags is None or not flags.size:
        return None
    shares = 100 * flags.mean(axis=(1, 2))
    return what, [(str(date), float(share)) for date, share in zip(sequence.dates, shares, strict=True)]


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
