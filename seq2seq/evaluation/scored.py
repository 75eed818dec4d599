"""Scores of samples: what was measured of each, and the files that keep it, so that nothing is measured twice."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from seq2seq.datasets.base import Sample
from seq2seq.evaluation.base import Metric, Protocol
from seq2seq.sequence import Float32
from seq2seq.writers import write_file

FOLDER = ".parts"


@dataclass(frozen=True)
class SampleScores:
    """values: by name of the metric, None where the sample has none; weights: what it counts for. seconds: of fitting
    and predicting."""

    sample: str
    values: dict[str, float | None]
    weights: dict[str, float]
    seconds: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `asdict`. Raises TypeError where something is missing."""
        return cls(**values)


@dataclass(frozen=True)
class Failure:
    """A sample that has no scores, and why."""

    sample: str
    reason: str


def score_sample(prediction: Float32, sample: Sample, protocol: Protocol, seconds: float) -> SampleScores:
    """Computes every metric of a protocol on one sample."""
    values = {metric.name: float(metric.of(prediction, sample)) for metric in protocol.metrics}
    return SampleScores(
        sample=sample.name,
        values={name: value if math.isfinite(value) else None for name, value in values.items()},
        weights={metric.name: metric.aggregation.weigh(sample) for metric in protocol.metrics},
        seconds=seconds,
    )


def combine(scores: Sequence[SampleScores], metric: Metric) -> float | None:
    """Combines a metric's values of all samples that have one, as the protocol does; None where none has."""
    found = [
        (value, each.weights[metric.name])
        for each in scores
        if (value := each.values[metric.name]) is not None and each.weights[metric.name] > 0
    ]
    if not found:
        return None
    values, weights = zip(*found, strict=True)
    return metric.aggregation.combine(values, weights)


class Kept:
    """The scores of earlier calls to the folder `out`: a file for each sample, named by all that decides it."""

    def __init__(self, out: Path, decisive: Sequence[Any]) -> None:
        self._folder, self._decisive = out / FOLDER, list(decisive)

    def find(self, sample: str) -> SampleScores | None:
        """Returns the scores that were kept, None where there are none, or none that can be read."""
        with suppress(OSError, ValueError, TypeError):
            return SampleScores.from_dict(json.loads(self._path(sample).read_text(encoding="utf-8")))
        return None

    def keep(self, scores: SampleScores) -> None:
        """Keeps them. Raises `OutputError`."""
        write_file(self._path(scores.sample), json.dumps(asdict(scores)).encode())

    def _path(self, sample: str) -> Path:
        text = json.dumps([*self._decisive, sample], sort_keys=True, default=str)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"
