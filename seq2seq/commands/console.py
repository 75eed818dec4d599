"""Progress of a run in a terminal: bars where somebody watches, plain lines now and then where the output is a file."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table

from seq2seq.progress import Progress, format_duration
from seq2seq.readers.clouds.labels import LABELS
from seq2seq.report.contradictions import contradiction_lines

# Seconds between two plain lines of one phase: a log of an hour stays readable.
_LINE_INTERVAL_S = 15.0


class Display(Protocol):
    """A place that shows progress: called with each `Progress`, it may also show one line between."""

    def __call__(self, progress: Progress, /) -> None:
        """Shows one value."""

    def notify(self, line: str) -> None:
        """Shows one line on its own."""


@contextmanager
def open_display(console: Console, *, quiet: bool) -> Iterator[Display]:
    """Opens bars on a terminal, lines elsewhere, nothing where `quiet` is set."""
    if quiet:
        yield SilentDisplay()
    elif console.is_terminal:
        with _bars(console) as bars:
            yield BarDisplay(bars)
    else:
        yield LineDisplay(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))


class SilentDisplay:
    """A display of nothing."""

    def __call__(self, progress: Progress, /) -> None:
        """Shows nothing."""

    def notify(self, line: str) -> None:
        """Ignores the line."""


class BarDisplay:
    """One bar for each phase; those that are over stay, with the time they took."""

    def __init__(self, bars: Bars, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bars, self._clock = bars, clock
        self._phase: str | None = None
        self._task = TaskID(0)
        self._began = clock()

    def __call__(self, progress: Progress, /) -> None:
        """Moves the bar of the phase, or ends it and begins the next."""
        if progress.message:
            self.notify(progress.message)
        if progress.phase != self._phase:
            self.finish()
            self._phase, self._began = progress.phase, self._clock()
            self._task = self._bars.add_task(progress.phase.capitalize(), total=progress.of or None, steps="", facts="")
        self._bars.update(
            self._task,
            completed=progress.step,
            total=progress.of or None,
            steps=f"{progress.step}/{progress.of}" if progress.of else "",
            facts=", ".join(_facts(progress)),
        )

    def notify(self, line: str) -> None:
        """Prints the line above the bars."""
        self._bars.console.print(escape(line), highlight=False, soft_wrap=True)

    def finish(self) -> None:
        """Ends the phase with a full bar and its time."""
        if self._phase is None:
            return
        total = next(task.total for task in self._bars.tasks if task.id == self._task) or 1
        took = format_duration(self._clock() - self._began)
        self._bars.update(self._task, completed=total, total=total, facts=took)


class LineDisplay:
    """A line when a phase begins or ends, and every few seconds between."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        interval_s: float = _LINE_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._interval_s, self._clock = write, interval_s, clock
        self._phase: str | None = None
        self._written = 0.0

    def __call__(self, progress: Progress, /) -> None:
        """Writes a line if it is time for one."""
        if progress.message:
            self.notify(progress.message)
        ends = progress.of > 0 and progress.step == progress.of
        if progress.phase == self._phase and not ends and self._clock() - self._written < self._interval_s:
            return
        self._phase, self._written = progress.phase, self._clock()
        steps = f" {progress.step}/{progress.of}" if progress.of else ""
        self._write(", ".join([f"{progress.phase}{steps}", *_facts(progress)]))

    def notify(self, line: str) -> None:
        """Writes the line as it is."""
        self._write(line)


def print_inspection(console: Console, found: dict[str, Any]) -> None:
    """Prints the facts of `seq2seq.report.inspection.describe` for people, then a line for each date."""
    for name, text in _summary(found):
        console.print(f"[bold]{name:<9}[/] {escape(text)}", highlight=False, soft_wrap=True)
    console.print()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("date", "cloud", "", "S1"):
        table.add_column(heading, no_wrap=True)
    for date, cloud, radar in zip(found["dates"], found["cloud_fraction"], found["s1"]["dates"], strict=True):
        bar = "[dim]asked for, never acquired[/]" if date in found.get("requested", ()) else _bar(cloud)
        table.add_row(date, bar, f"{cloud:4.0%}", radar or "[dim]none near enough[/]")
    console.print(table)
    for line in contradiction_lines(found["contradictions"]):
        console.print(f"[yellow]date[/] {escape(line)}", highlight=False, soft_wrap=True)
    for warning in found["warnings"]:
        console.print(f"[yellow]note[/] {escape(warning)}", highlight=False, soft_wrap=True)


def _summary(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and facts, one line each."""
    dates, grid, radar, values = found["dates"], found["grid"], found["s1"], found["radiometry"]
    paired = sum(date is not None for date in radar["dates"])
    s1 = f"{' '.join(found['s1_bands'])}, {radar['units']}, {len(found['s1_acquisitions'])} acquisitions"
    cost = found["estimate"]
    return [
        ("input", found["path"]),
        ("dates", f"{len(dates)}, {dates[0]} to {dates[-1]}{_asked(found)}"),
        ("bands", " ".join(found["bands"])),
        ("grid", f"{grid['width']} x {grid['height']} px, {grid['pixel']}, {grid['crs']}"),
        (
            "values",
            f"{values['dtype']}, reflectance = value x {values['scale']:g} + {values['offset']:g}, "
            f"no data {'not stated' if values['nodata'] is None else format(values['nodata'], 'g')}",
        ),
        ("S1", f"{s1}, {paired} of {len(dates)} dates paired" if radar["available"] else "none: optical data alone"),
        ("masks", f"{found['mask_source']}; {_masked(found)}"),
        ("a run", f"about {format_duration(cost['seconds'])} and {cost['memory_gb']:.1f} GB on {cost['on']}"),
    ]


def _masked(found: dict[str, Any]) -> str:
    """Who masked how much of all dates together."""
    pixels = found["grid"]["width"] * found["grid"]["height"] * len(found["dates"])
    counts = found["masked"]["pixels"]
    words = [f"{label.title} {sum(counts[label.name]) / pixels:.0%}" for label in LABELS if label.name in counts]
    return ", ".join(words) or "nothing is masked"


def _asked(found: dict[str, Any]) -> str:
    count = len(found.get("requested", ()))
    return f"; {count} of them asked for, never acquired" if count else ""


def _bar(fraction: float, width: int = 24) -> str:
    filled = round(fraction * width)
    return f"{'█' * filled}[dim]{'░' * (width - filled)}[/]"


@contextmanager
def _bars(console: Console) -> Iterator[Bars]:
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=28, complete_style="green", finished_style="green", pulse_style="green"),
        TextColumn("[dim]{task.fields[steps]}", justify="right"),
        TextColumn("{task.fields[facts]}"),
        console=console,
        refresh_per_second=8,
    ) as bars:
        yield bars


def _facts(progress: Progress) -> list[str]:
    """The known facts, in words."""
    return [
        text
        for value, text in (
            (progress.loss, f"loss {progress.loss:.4g}" if progress.loss is not None else ""),
            (progress.holdout_psnr, f"held-out {progress.holdout_psnr or 0:.2f} dB"),
            (progress.eta_s, f"{format_duration(progress.eta_s or 0)} left"),
        )
        if value is not None
    ]
