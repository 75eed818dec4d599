"""Sequences and results in a notebook: a card of facts and pictures, and a bar while a run goes on.

IPython is used where it runs already and is needed nowhere.
"""

import sys
import time
from typing import TYPE_CHECKING, Any

from seq2seq.progress import OnProgress, Progress, ignore
from seq2seq.report.cards import card as card  # what sequences and results show of themselves
from seq2seq.report.cards import progress_html

if TYPE_CHECKING:
    from PIL.Image import Image

    from seq2seq.looking.views import Choice
    from seq2seq.sequence import Bool, Float32, ImageSequence, Observations

UPDATE_S = 0.25


def plot_sequence(sequence: "ImageSequence", date: Any, bands: "Choice | None") -> "Image":
    """Draws one sensor's acquisitions."""
    from seq2seq.looking import in_memory, plotting

    return plotting.plot(in_memory.sequence_scene(sequence), date, bands)


def plot_observations(observations: "Observations", date: Any, bands: "Choice | None") -> "Image":
    """Draws the input of a reconstruction."""
    from seq2seq.looking import in_memory, plotting

    return plotting.plot(in_memory.observations_scene(observations), date, bands)


def plot_result(
    s2: "ImageSequence", sigma: "Float32", reconstructed: "Bool", date: Any, bands: "Choice | None"
) -> "Image":
    """Draws a result in memory. sigma: (T, C, H, W); reconstructed: (T, H, W)."""
    from seq2seq.looking import in_memory, plotting

    return plotting.plot(in_memory.result_scene(s2, sigma, reconstructed), date, bands)


def plot_dataset(dataset: Any, date: Any, bands: "Choice | None") -> "Image":
    """Draws a result that was opened, an `xarray.Dataset`."""
    from seq2seq.looking import in_memory, plotting

    return plotting.plot(in_memory.DatasetScene(dataset), date, bands)


def in_notebook() -> bool:
    """Tells whether this is a kernel of Jupyter (also of Colab and VS Code), no terminal, with IPython or without."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def choose_progress(on_progress: OnProgress | None, show: bool | None) -> OnProgress:
    """Returns the caller's own, else a display: by default (None) in notebooks alone; False: none."""
    if on_progress is not None:
        return on_progress
    notebook = in_notebook()
    if show is False or (show is None and not notebook):
        return ignore
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


def print_phase() -> OnProgress:
    """Makes a callback that prints a line on stderr when a phase begins: for scripts that asked for progress."""
    last = ""

    def show(progress: Progress) -> None:
        nonlocal last
        if progress.message:
            print(progress.message, file=sys.stderr)
        if progress.phase != last:
            last = progress.phase
            print(last, file=sys.stderr)

    return show
