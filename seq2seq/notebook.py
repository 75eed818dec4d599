"""How sequences and results look in a notebook: a card of facts and pictures, and a bar while a run goes on.

IPython is used where it runs already and is needed nowhere.
"""

import base64
import sys
import time
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from seq2seq.progress import OnProgress, Progress, format_duration, ignore_progress
from seq2seq.report.quicklook import Stretch, choose_dates, display_bands, picture_jpeg
from seq2seq.sequence import Bool, ImageSequence

PICTURES, PICTURE_PX = 5, 120
UPDATE_S = 0.25


def in_notebook() -> bool:
    """True in a kernel of Jupyter (also of Colab and VS Code), not in a terminal, with IPython or without."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def choose_progress(on_progress: OnProgress | None, show: bool | None) -> OnProgress:
    """The caller's own, else a display: by default (None) in notebooks alone; False: none."""
    if on_progress is not None:
        return on_progress
    notebook = in_notebook()
    if show is False or (show is None and not notebook):
        return ignore_progress
    return NotebookProgress() if notebook else print_phase()


class NotebookProgress:
    """One line with a bar, changed in place; messages stay below it."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html = HTML
        self._messages: list[str] = []
        self._phase, self._shown_at = "", 0.0
        self._handle = display(HTML(""), display_id=True)

    def __call__(self, progress: Progress, /) -> None:
        """Shows it, at most every `UPDATE_S` within a phase."""
        if progress.message:
            self._messages.append(progress.message)
        ends = progress.of and progress.step == progress.of
        now = time.monotonic()
        if progress.phase == self._phase and not progress.message and not ends and now - self._shown_at < UPDATE_S:
            return
        self._phase, self._shown_at = progress.phase, now
        self._handle.update(self._html(progress_html(progress, self._messages)))


def progress_html(progress: Progress, messages: Sequence[str]) -> str:
    """The bar, its phase and what is left; then the messages."""
    bar = f'<progress value="{progress.step}" max="{progress.of}"></progress> ' if progress.of else ""
    facts = [progress.phase] + ([f"{progress.step}/{progress.of}"] if progress.of else [])
    facts += [f"{format_duration(progress.eta_s)} left"] if progress.eta_s else []
    notes = "".join(f"<div><small>{escape(message)}</small></div>" for message in messages)
    return f"<div>{bar}{escape(', '.join(facts))}</div>{notes}"


def print_phase() -> OnProgress:
    """A line on stderr when a phase begins: for scripts that asked for progress."""
    last = ""

    def show(progress: Progress) -> None:
        nonlocal last
        if progress.message:
            print(progress.message, file=sys.stderr)
        if progress.phase != last:
            last = progress.phase
            print(last, file=sys.stderr)

    return show


def card(title: str, facts: Sequence[tuple[str, str]], sequence: ImageSequence, shown: Bool | None = None) -> str:
    """HTML: title, facts, and a few dates as pictures. shown: (T, H, W), other pixels are grey; None: all."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in facts
    )
    figures = "".join(
        f'<figure style="display:inline-block;margin:0 6px 0 0"><img alt="{date}" src="data:image/jpeg;base64,'
        f'{base64.b64encode(jpeg).decode()}" style="height:96px"><figcaption>{date}</figcaption></figure>'
        for date, jpeg in _pictures(sequence, shown)
    )
    return f"<div><strong>{escape(title)}</strong><table>{rows}</table><div>{figures}</div></div>"


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
