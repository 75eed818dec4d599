"""A method on the samples of a published data set, scored as its authors score: sample by sample, resumable."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.apart import check_apart
from seq2seq.config import ReconstructionConfig
from seq2seq.datasets import find_dataset
from seq2seq.datasets.base import DatasetInfo, Sample, Samples
from seq2seq.errors import (
    ConfigError,
    DecloudError,
    InputError,
    MissingExtraError,
    OutputError,
    Stopped,
    WeightsUnavailableError,
)
from seq2seq.evaluation import find_protocol, protocols_of
from seq2seq.evaluation.base import Clouds, Protocol
from seq2seq.evaluation.output import check_folder, results, write_all
from seq2seq.evaluation.predicting import predict_alone, predict_blended
from seq2seq.evaluation.scored import Failure, Kept, SampleScores, score_sample
from seq2seq.evaluation.showing import show
from seq2seq.nn.devices import choose_device
from seq2seq.nn.vgg import Perceptual, resolve_perceptual
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore, never_stop
from seq2seq.settings import settings_of
from seq2seq.wording import not_one_of, one_line

PHASE = "evaluating"
WEIGHTS = "weights"  # the setting of a method that has trained ones
_LONGEST_REASON = 200
# Counts up when what a protocol hides, or what is measured on it, changes within a version.
_REVISION = 1
# Keeps the draws of a protocol apart from those of the engine.
_STREAM = 13


@dataclass(frozen=True)
class Plan:
    """What is evaluated: a method with its settings, on a protocol of a data set.

    blended: whether with all that a run adds to the method. limit: the first samples alone.
    """

    info: DatasetInfo
    protocol: Protocol
    split: str
    config: ReconstructionConfig
    clouds: Clouds
    blended: bool = False
    limit: int | None = None


def make_plan(
    dataset: str,
    config: ReconstructionConfig,
    *,
    protocol: str | None = None,
    split: str | None = None,
    clouds: Clouds | None = None,
    blended: bool = False,
    limit: int | None = None,
) -> Plan:
    """Chooses what was not named: the first protocol of the data set, its split, and what it shows of clouds.

    Raises `ConfigError` for a name that is none.
    """
    info, known = find_dataset(dataset), protocols_of(dataset)
    if protocol is not None and find_protocol(protocol) not in known:
        raise ConfigError(not_one_of(f"protocol of {dataset}", protocol, [each.name for each in known]))
    if not known:
        raise ConfigError(f"data set {dataset} has no protocol yet")
    chosen = known[0] if protocol is None else find_protocol(protocol)
    split = chosen.split if split is None else split
    if split not in info.splits:
        raise ConfigError(not_one_of(f"split of {dataset}", split, info.splits))
    if blended and clouds == "seen":
        raise ConfigError("a blended result keeps the pixels that it sees, and clouds with them; use --clouds hidden")
    usual = chosen.clouds_with_weights if weights_of(config) and not blended else chosen.clouds
    plain = config.replace(feather_px=0)
    return Plan(info, chosen, split, plain, usual if clouds is None else clouds, blended, limit)


def with_weights(config: ReconstructionConfig, path: Path) -> ReconstructionConfig:
    """Gives the method trained weights. Raises `ConfigError` where it has none, or there is no such file."""
    if WEIGHTS not in {each.name for each in settings_of(config.info.settings)}:
        raise ConfigError(f"method {config.method} takes no weights; leave out --weights, or name another method")
    if not path.is_file():
        raise WeightsUnavailableError(f"{config.method} weights: {path} is not a file")
    return config.replace(method_settings={**config.method_settings, WEIGHTS: str(path)})


def weights_of(config: ReconstructionConfig) -> Path | None:
    """Finds the file of trained weights that the settings name."""
    found = getattr(config.resolved_settings, WEIGHTS, None)
    return Path(found) if found else None


def evaluate(
    root: Path,
    out: Path,
    plan: Plan,
    *,
    on_progress: OnProgress = ignore,
    should_stop: ShouldStop = never_stop,
) -> dict[str, Any]:
    """Evaluates, writes table.csv, table.md and results.json into `out`, and returns what the last holds.

    What an earlier call has finished is not repeated. Raises `InputError`, `ConfigError` or `OutputError` before any
    sample, or where none could be finished; `Stopped` where `should_stop` said so.
    """
    check_folder(out)
    check_apart(root, out)
    on_progress(Progress("reading"))
    samples = plan.info.open(root, plan.split)
    work = _Evaluation(root, out, plan, samples, on_progress, should_stop)
    scores, failures = work.run()
    if not scores:
        raise InputError(f"none of {len(failures)} samples was finished; {failures[0].sample}: {failures[0].reason}")
    names = [samples.name(index) for index in range(len(samples))]
    found = results(plan, root, names, scores, failures)
    write_all(out, found, plan.protocol)
    return found


class _Evaluation:
    """All samples, one after another."""

    def __init__(
        self, root: Path, out: Path, plan: Plan, samples: Samples, on_progress: OnProgress, should_stop: ShouldStop
    ) -> None:
        self._plan, self._samples = plan, samples
        self._on_progress, self._should_stop = on_progress, should_stop
        self._kept = Kept(out, _decisive(root, plan))
        self._of = len(samples) if plan.limit is None else min(plan.limit, len(samples))
        self._perceptual: Perceptual | None = None
        self._done = 0

    def run(self) -> tuple[list[SampleScores], list[Failure]]:
        """Scores by sample, and what failed."""
        scores: list[SampleScores] = []
        failures: list[Failure] = []
        self._report()
        for outcome in self._outcomes(scores):
            (scores if isinstance(outcome, SampleScores) else failures).append(outcome)  # type: ignore[arg-type]
            self._done += 1
            failed = isinstance(outcome, Failure)
            self._report(f"{outcome.sample}: not finished: {outcome.reason}" if failed else None)  # type: ignore[union-attr]
        return scores, failures

    def _outcomes(self, finished: Sequence[SampleScores]) -> Iterator[SampleScores | Failure]:
        for index in range(self._of):
            name = self._samples.name(index)
            try:
                yield self._kept.find(name) or self._score(index)
            except (Stopped, OutputError):
                raise
            except (ConfigError, MissingExtraError, WeightsUnavailableError) as error:
                if not finished:  # then it is no fault of this sample
                    raise
                yield Failure(name, one_line(error, _LONGEST_REASON))
            except DecloudError as error:
                yield Failure(name, one_line(error, _LONGEST_REASON))
            except Exception as error:  # a method, and a data set, may be anybody's
                yield Failure(name, one_line(f"{type(error).__name__}: {error}", _LONGEST_REASON))

    def _score(self, index: int) -> SampleScores:
        plan = self._plan
        if self._should_stop():
            raise Stopped("between two samples")
        sample = with_gap(self._samples[index], plan.protocol, plan.config.seed)
        if not sample.scored.any():
            raise InputError("has no pixel to score")
        shown = show(sample, plan.clouds)
        if self._perceptual is None:
            self._perceptual = resolve_perceptual(plan.config, sample.bands, choose_device(plan.config.device))
        predict = predict_blended if plan.blended else predict_alone
        began = time.monotonic()
        prediction = predict(shown, plan.config, self._perceptual, self._passing_on, self._should_stop)
        scores = score_sample(prediction, sample, plan.protocol, time.monotonic() - began)
        self._kept.keep(scores)
        return scores

    def _passing_on(self, progress: Progress) -> None:
        """What a method reports, as progress of the whole: one bar, however many samples there are."""
        self._on_progress(Progress(PHASE, self._done, self._of, loss=progress.loss, holdout_psnr=progress.holdout_psnr))

    def _report(self, message: str | None = None) -> None:
        self._on_progress(Progress(PHASE, self._done, self._of, message=message))


def with_gap(sample: Sample, protocol: Protocol, seed: int) -> Sample:
    """Hides what the protocol hides, by the seed and the sample's name alone."""
    if protocol.gap is None:
        return sample
    name = int.from_bytes(hashlib.sha256(sample.name.encode()).digest()[:8], "big")
    return protocol.gap(sample, np.random.default_rng((seed, _STREAM, name)))


def _decisive(root: Path, plan: Plan) -> list[Any]:
    """All that decides the scores of a sample beside its name."""
    weights = weights_of(plan.config)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights and weights.is_file() else None
    place = [str(root.resolve()), plan.info.name, plan.split, plan.protocol.name]
    return [_REVISION, version("decloud"), *place, plan.clouds, plan.blended, plan.config.recorded(), digest]
