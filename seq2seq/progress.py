"""Progress of a run, reported to its caller while it works: one value, sent through one callback."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The position of a run.

    phase: a short name in the user's words ("reading", "fitting"). step of `of`: done so far, `of` is 0
    where the end is unknown. loss: the fit's current loss. holdout_psnr: dB on the held-out pixels. eta_s: seconds to
    the end of the run, all phases. message: one line worth showing on its own, such as a warning. None: not known in
    this phase.
    """

    phase: str
    step: int = 0
    of: int = 0
    loss: float | None = None
    holdout_psnr: float | None = None
    eta_s: float | None = None
    message: str | None = None

    def __post_init__(self) -> None:
        if self.step < 0 or self.of < 0 or (self.of and self.step > self.of):
            raise ValueError(f"step {self.step} of {self.of} in phase {self.phase!r}")


OnProgress = Callable[[Progress], None]
ShouldStop = Callable[[], bool]


def ignore(_: object) -> None:
    """Ignores what it is told: the callback of callers who do not want to know."""


def never_stop() -> bool:
    """Answers no: the stop signal of callers who never stop a run."""
    return False


def format_duration(seconds: float) -> str:
    """Formats seconds such as 12 s, 3 min 05 s, 2 h 10 min."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
