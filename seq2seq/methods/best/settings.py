"""The settings of the method `best`: those of `guided`, and how much time others may take beside it."""

from dataclasses import dataclass

from seq2seq.methods.guided.settings import GuidedSettings
from seq2seq.settings import setting


@dataclass(frozen=True)
class BestSettings(GuidedSettings):
    """Of `guided`, whose names these keep, and of the choice of members. Members have their own defaults."""

    members_share: float = setting(
        0.25,
        about="Of the time to prepare, what other methods may take together where there is a limit.",
        low=0.0,
        high=0.5,
    )
