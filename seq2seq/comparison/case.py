"""A case of a comparison: one input, one kind of gap, one seed; and what one method made of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from seq2seq.comparison.gaps import hide_gap
from seq2seq.comparison.scoring import CaseScores
from seq2seq.interpolation import gap_length
from seq2seq.report.method_pictures import MethodPicture
from seq2seq.sequence import Bool, Float32, ImageSequence, Observations
from seq2seq.validation.holdout import blank
from seq2seq.validation.screening import suspected_clouds
from seq2seq.validation.settings import ValidationSettings


@dataclass(frozen=True, order=True)
class CaseName:
    """input: as the user wrote it. gap: of `gaps.GAPS`."""

    input: str
    gap: str
    seed: int

    def __str__(self) -> str:
        return f"{self.input}, {self.gap}, seed {self.seed}"


class Case:
    """The pixels of a case: what is hidden, what is scored, what all methods see.

    hidden: (T, H, W). trusted: (T, H, W) observed and no suspected cloud. scored: those hidden and trusted: what
    a mask has missed is no truth.
    """

    def __init__(self, name: CaseName, observations: Observations, settings: ValidationSettings) -> None:
        self.name, self.truth, self.settings, self._observations = name, observations.s2, settings, observations
        s2 = observations.s2
        self.hidden = hide_gap(name.gap, s2.observed, name.seed, settings)
        self.trusted: Bool = s2.observed & ~suspected_clouds(s2.pixels, s2.observed, s2.days, s2.bands, settings)
        self.scored: Bool = self.hidden & self.trusted

    @property
    def usable(self) -> bool:
        """Whether there is something to score, and something left to learn from."""
        return bool(self.scored.any() and (self.truth.observed & ~self.hidden).any())

    @cached_property
    def visible(self) -> Observations:
        """What every method sees: hidden pixels are 0, not observed and under a cloud."""
        seen = blank(self._observations, self.truth.observed & ~self.hidden)
        return replace(seen, cloud_mask=self._observations.cloud_mask | self.hidden)

    @cached_property
    def gap_days(self) -> Float32:
        """(T, H, W) days between the visible dates around each pixel."""
        s2: ImageSequence = self.visible.s2
        return gap_length(s2.observed, s2.days)

    @cached_property
    def dates(self) -> int:
        """How many have scored pixels."""
        return int(np.count_nonzero(self.scored.any(axis=(1, 2))))


@dataclass(frozen=True)
class Outcome:
    """What one method made of one case.

    result: scores of what a user gets, blended by the engine. alone: of the method's own prediction, `candidate`; None
    where it has none. seconds: of the reconstruction, reading and scoring left out. memory_gb: None where not measured.
    steps_done, steps_total: of its fits, see `Reconstruction`. picture: what a page shows of it, kept in a
    file of its own. reason: why there are no scores. jobs: as many ran at once, at most, while it did.
    """

    case: CaseName
    method: str
    result: CaseScores | None = None
    alone: CaseScores | None = None
    candidate: str | None = None
    seconds: float | None = None
    memory_gb: float | None = None
    device: str | None = None
    reason: str | None = None
    steps_done: int = 0
    steps_total: int = 0
    jobs: int = 1
    picture: MethodPicture | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the picture; the inverse of `from_dict`."""
        named = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "picture"}
        parts = {name: named[name] and named[name].to_dict() for name in ("result", "alone")}
        return {**named, "case": asdict(self.case), **parts}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Raises KeyError or TypeError where something is missing."""
        scores = {name: values[name] and CaseScores.from_dict(values[name]) for name in ("result", "alone")}
        return cls(**{**values, "case": CaseName(**values["case"]), **scores})
