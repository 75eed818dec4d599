"""The interface of a published protocol: what of a data set is shown, how a prediction is scored, what others reached.

A protocol is one file in `seq2seq.evaluation.protocols` with a `Protocol`, and its line in the tuple `PROTOCOLS`. The
runner asks for nothing else: it builds what a method sees, runs it, keeps what is finished and writes the table.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seq2seq.datasets.base import Sample
from seq2seq.sequence import Float32

# How sure a published figure is: who of us has seen it where.
Certainty = Literal["read in the authors' code", "verified in the paper", "abstract", "quoted by others", "unverified"]
# What a method gets of cloudy pixels: their values, as networks that were trained on cloudy images do, or nothing.
Clouds = Literal["hidden", "seen"]
Rng = np.random.Generator


@dataclass(frozen=True)
class Aggregation:
    """How the values of samples become one figure.

    weigh: of a sample, what it counts for; combine: values and weights of all samples with a value, in their order.
    """

    name: str
    weigh: Callable[[Sample], float]
    combine: Callable[[Sequence[float], Sequence[float]], float]


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """Computes sum(w v) / sum(w)."""
    return float(np.average(values, weights=weights))


def weighted_root(values: Sequence[float], weights: Sequence[float]) -> float:
    """Computes sqrt(sum(w v^2) / sum(w)): root mean squared errors of samples become that of all their pixels."""
    return math.sqrt(np.average(np.square(values), weights=weights))


def count_images(sample: Sample) -> float:
    """Counts the dates asked for that have a scored pixel."""
    return float(sample.scored.any(axis=(1, 2)).sum())


def count_pixels(sample: Sample) -> float:
    """Counts the scored pixels of all dates asked for."""
    return float(sample.scored.sum())


def count_one(sample: Sample) -> float:
    """Counts each sample once."""
    return 1.0


SAMPLE_MEAN = Aggregation("mean of samples", count_one, weighted_mean)
# `Metric.of` is then the mean over the dates of a sample.
IMAGE_MEAN = Aggregation("mean of images", count_images, weighted_mean)
PIXEL_MEAN = Aggregation("mean of pixels", count_pixels, weighted_mean)
PIXEL_ROOT = Aggregation("root of the mean of squares over all pixels", count_pixels, weighted_root)


@dataclass(frozen=True)
class Metric:
    """A score as the authors of a protocol define it.

    name: head of its column. unit: "" where it has none. about: the authors' definition, one sentence. of: prediction
    (N, C, H, W) of the dates `asked` and the sample -> its value; NaN: the sample has none, and does not count.
    decimals: in tables.
    """

    name: str
    unit: str
    about: str
    higher_is_better: bool
    of: Callable[[Float32, Sample], float]
    aggregation: Aggregation = IMAGE_MEAN
    decimals: int = 3


@dataclass(frozen=True)
class PublishedRow:
    """What somebody has published. values: by name of the metric; those left out were not published."""

    method: str
    values: Mapping[str, float]
    source: str
    certainty: Certainty


@dataclass(frozen=True)
class Protocol:
    """How a data set is used to compare methods.

    dataset: the name of a `DatasetInfo`. notes: scale, traps, and in what our figures differ from those published; they
    stand below the table. gap: makes a sample harder, the same for the same generator; it returns a sample with what it
    hides not `valid` there (`hide` does), and may ask for other dates. clouds: what a method gets of cloudy pixels
    unless the user says otherwise; clouds_with_weights: where it has trained weights. split: unless another is named.
    """

    name: str
    dataset: str
    title: str
    about: str
    metrics: tuple[Metric, ...]
    published: tuple[PublishedRow, ...] = ()
    notes: tuple[str, ...] = ()
    gap: Callable[[Sample, Rng], Sample] | None = None
    clouds: Clouds = "hidden"
    clouds_with_weights: Clouds = "hidden"
    split: str = "test"

    def __post_init__(self) -> None:
        names = {metric.name for metric in self.metrics}
        for row in self.published:
            unknown = sorted(set(row.values) - names)
            assert not unknown, f"protocol {self.name}, row {row.method}: no metric {', '.join(unknown)}"
