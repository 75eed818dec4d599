"""The work of a comparison in pieces: an open input, and one method on one case of it."""

from dataclasses import dataclass, field

from seq2seq.comparison.case import CaseName
from seq2seq.config import ReconstructionConfig
from seq2seq.nn.vgg import Perceptual
from seq2seq.readers import SequenceSource


@dataclass(frozen=True, eq=False)
class OpenInput:
    """An open input, by the name that the user gave it, and the perceptual loss for its bands."""

    name: str
    source: SequenceSource
    perceptual: Perceptual


@dataclass(frozen=True, eq=False)
class Task:
    """One method, with the case's seed, on one case. expected_s, memory_gb: estimates, right within a factor.

    config: as its result is kept under, so that `device` is what was asked for and not where it runs.
    """

    case: CaseName
    config: ReconstructionConfig = field(repr=False)
    expected_s: float
    memory_gb: float

    @property
    def method(self) -> str:
        """Its name."""
        return self.config.method

    def __str__(self) -> str:
        return f"{self.case}: {self.method}"
