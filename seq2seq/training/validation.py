"""The score of a network on samples that it does not learn from."""

import math
from dataclasses import dataclass

import numpy as np

from seq2seq.datasets.base import Samples
from seq2seq.methods.base import Trainable
from seq2seq.training.processes import Processes


@dataclass(frozen=True)
class Score:
    """Over all scored pixels and bands of `samples` samples, in reflectance: mean absolute error, and dB."""

    step: int
    samples: int
    mae: float
    psnr_db: float

    def __str__(self) -> str:
        return f"step {self.step}: MAE {self.mae:.4f}, PSNR {self.psnr_db:.2f} dB on {self.samples} validation samples"


def spread(count: int, wanted: int) -> list[int]:
    """Chooses `wanted` of `count` samples, evenly spread: neighbours in a list are often neighbours on the ground."""
    return sorted({int(each) for each in np.linspace(0, count - 1, min(count, wanted))}) if count else []


def score(trainable: Trainable, samples: Samples, chosen: list[int], processes: Processes, step: int) -> Score:
    """Scores the chosen samples, shared among the processes."""
    absolute = squared = count = 0.0
    for index in chosen[processes.rank :: processes.count]:
        sample = trainable.case_of(samples[index])
        error = trainable.predict(sample, processes.device) - sample.truth
        scored = error.transpose(0, 2, 3, 1)[sample.scored].astype(np.float64)  # (pixels, bands)
        absolute += float(np.abs(scored).sum())
        squared += float(np.square(scored).sum())
        count += scored.size
    absolute, squared, count = processes.sum(absolute, squared, count)
    mean = squared / max(count, 1)
    return Score(step, len(chosen), absolute / max(count, 1), -10 * math.log10(max(mean, 1e-12)))
