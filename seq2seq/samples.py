"""Simulated sequences with a name, for who has no data at hand: what they are, not how they are made.

It loads nothing of the simulation: the service's front and its worker read it.
"""

from dataclasses import dataclass

from seq2seq.bands import L2A_10


@dataclass(frozen=True)
class SampleSequence:
    """What `seq2seq.simulation` is asked for. title: in one line. size_px: height and width. cloud: share, [0, 1]."""

    name: str
    title: str
    dates: int = 16
    size_px: int = 96
    bands: tuple[str, ...] = L2A_10
    cloud: float = 0.5
    seed: int = 1


FIELDS = SampleSequence("fields", "Simulated fields with clouds and radar.")

SAMPLES: dict[str, SampleSequence] = {sample.name: sample for sample in (FIELDS,)}
