"""The loop: examples, steps, now and then a score and a checkpoint, and the weights with their card in the end."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from seq2seq.datasets.base import Samples
from seq2seq.errors import ConfigError, InputError, InvalidPixelsError, MissingDataError, Stopped
from seq2seq.methods.base import Learner, Trainable
from seq2seq.nn.devices import deterministic, set_threads
from seq2seq.nn.trained import write_trained
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore, never_stop
from seq2seq.training.card import card_of, page_of
from seq2seq.training.checkpoint import Checkpoint
from seq2seq.training.job import TrainingJob
from seq2seq.training.processes import Processes, joined
from seq2seq.training.stream import Order, positions, read_ahead
from seq2seq.training.validation import Score, score, spread
from seq2seq.writers import write_file

CHECKPOINT_EVERY_S = 120.0
SCORED_TIMES = 20
TRAINING = "training"


@dataclass(frozen=True)
class Trained:
    """What a training has made; sha256: of the file of weights. scores: the last one is that of the weights."""

    path: Path
    sha256: str
    card: dict[str, Any]
    scores: list[Score]


def train(
    job: TrainingJob, *, on_progress: OnProgress = ignore, should_stop: ShouldStop = never_stop
) -> Trained | None:
    """Trains, writes the weights and their card, and returns them; None in all processes but the first.

    Raises `ConfigError`, `InputError` and `WeightsUnavailableError` before the first step, `Stopped` after a checkpoint
    where `should_stop` asked for it in any process.
    """
    with joined(job.device) as processes:
        if processes.count == 1:
            set_threads()
        on_progress(Progress("reading"))
        samples = job.dataset.open(job.path, job.split)
        if not len(samples):
            raise MissingDataError(f"{job.path}: the split {job.split} of {job.dataset.name} has no sample")
        first = samples[0]
        channels = 0 if first.s1 is None else first.s1.shape[1]
        trainable = job.training.load()(job.settings, first.bands, channels, job.seed)
        trainable.case_of(first)  # raises before any step
        sides = first.s2.shape[2:]
        loop = _Loop(job, processes, samples, first.bands, sides, trainable, on_progress, should_stop)
        loop.run()
        return loop.finish() if processes.first else None


def _described(bands: tuple[str, ...], sides: tuple[int, ...]) -> str:
    return f"{len(bands)} bands ({' '.join(bands)}) of {' x '.join(map(str, sides))} px"


@dataclass(frozen=True)
class _Part:
    """Of a step. losses: of each learner in turn. share: of what the whole batch knows. seed: of what they draw."""

    losses: Iterator[torch.Tensor]
    share: float
    seed: int


# long: one training, step by step, with what it keeps and says
@dataclass
class _Loop:
    """One process's part of a training."""

    job: TrainingJob
    processes: Processes
    samples: Samples
    bands: tuple[str, ...]
    sides: tuple[int, ...]
    trainable: Trainable
    on_progress: OnProgress
    should_stop: ShouldStop
    steps_done: int = 0
    loss: float = math.nan
    scores: list[Score] = field(default_factory=list)

    def __post_init__(self) -> None:
        job, trainable, device = self.job, self.trainable, self.processes.device
        self.batch = job.batch or trainable.batch
        if self.batch % self.processes.count:
            raise ConfigError(f"batch is {self.batch}, must be a multiple of the {self.processes.count} processes")
        self.steps = job.steps_for(len(self.samples), self.batch, trainable.steps)
        self.order = Order(len(self.samples), job.seed)
        self.learners = trainable.learners(device)
        key = {
            "settings": job.recorded_settings(), "data set": job.dataset.name, "split": job.split,
            "samples": len(self.samples), "bands": list(self.bands), "batch": self.batch, "seed": job.seed,
        }  # fmt: skip
        self.checkpoint = Checkpoint(job.checkpoint, job.method.name, key)
        self.validated = self._validated()

    def run(self) -> None:
        """All steps. Raises `Stopped` after a checkpoint, `ConfigError` where the loss is no number."""
        if self.job.resume and self.job.checkpoint.exists():
            self._load()
        looks = {round(self.steps * k / SCORED_TIMES) for k in range(1, SCORED_TIMES + 1)}
        began = saved = time.monotonic()
        first = self.steps_done
        for batch in self._batches():
            self._step(batch)
            now = time.monotonic()
            eta_s = (now - began) / (self.steps_done - first) * (self.steps - self.steps_done)
            self._report(eta_s, self._score() if self.steps_done in looks else None)
            if now - saved > CHECKPOINT_EVERY_S:
                self._save()
                saved = now

    def finish(self) -> Trained:
        """Writes weights and card; the checkpoint has served its time."""
        job, trainable = self.job, self.trainable
        facts = {
            "samples": len(self.samples), "steps": self.steps_done, "batch": self.batch, "bands": list(self.bands),
            "sar_channels": trainable.sar_channels, "loss": self.loss,
        }  # fmt: skip
        card = card_of(job, facts, self.scores)
        sha256 = write_trained(job.out, trainable.network.state_dict(), card)
        write_file(job.card, page_of(job, card, sha256).encode())
        job.checkpoint.unlink(missing_ok=True)
        return Trained(job.out, sha256, card, self.scores)

    def _batches(self) -> Iterator[Any]:
        """This process's share of each step to come."""
        rank, count = self.processes.rank, self.processes.count
        row = positions(self.steps_done, self.steps, batch=self.batch, rank=rank, processes=count)
        examples = read_ahead(self._example, row, readers=self.job.readers)
        while drawn := list(islice(examples, self.batch // count)):
            yield self.trainable.batch_of(drawn)

    def _example(self, position: int) -> Any:
        sample, rng = self.samples[self.order.sample(position)], self.order.generator(position)
        if self.sides != sample.s2.shape[2:] or self.bands != sample.bands:
            raise InvalidPixelsError(
                f"{sample.name}: has {_described(sample.bands, sample.s2.shape[2:])}, the first sample has "
                f"{_described(self.bands, self.sides)}; a network learns from samples that are alike"
            )
        return self.trainable.example(self.trainable.case_of(sample, rng), rng)

    def _step(self, batch: Any) -> None:
        """One update of each learner. Losses are means over what is known, so parts and processes count by that."""
        trainable, processes = self.trainable, self.processes
        known, stop = processes.sum(trainable.known(batch), self.should_stop())
        if stop:
            self._save()
            raise Stopped(f"step {self.steps_done} of {self.steps}")
        trainable.prepare(self.learners, self.steps_done, self.steps)
        parts = [
            _Part(trainable.losses(part, processes.device), trainable.known(part) / max(known, 1), self._seed(number))
            for number, part in enumerate(trainable.parts(batch, processes.device))
        ]
        with deterministic():
            for learner in self.learners:
                self._update(learner, parts)
        self.steps_done += 1

    def _update(self, learner: Learner, parts: Sequence[_Part]) -> None:
        """The losses of all parts, their gradients together, and what they change."""
        total = 0.0
        learner.optimizer.zero_grad()
        for part in parts:
            torch.manual_seed(part.seed)
            loss = next(part.losses) * part.share
            torch.autograd.backward(loss)
            total += loss.item()
        (self.loss,) = self.processes.sum(total)
        if not math.isfinite(self.loss):
            raise ConfigError(
                f"step {self.steps_done + 1} of {self.steps}: the loss is {self.loss}; a lower rate may help "
                "(--set learning_rate=X --overwrite); --resume goes on from the last checkpoint"
            )
        self.processes.add_gradients(learner.network)
        learner.optimizer.step()

    def _seed(self, part: int) -> int:
        """Of what the losses of a part draw, such as dropout: by its position in the row, whatever the processes."""
        share = self.batch // self.processes.count
        return (self.job.seed << 32) + self.steps_done * self.batch + self.processes.rank * share + part

    def _validated(self) -> tuple[Samples, list[int]] | None:
        """The samples that are scored; a folder without that split has none, and says so."""
        job = self.job
        if not job.validated or job.validation not in job.dataset.splits:
            return None
        try:
            samples = job.dataset.open(job.path, job.validation)
        except InputError as error:
            self.on_progress(Progress("reading", message=f"no validation: {error.detail}"))
            return None
        chosen = spread(len(samples), job.validated)
        return (samples, chosen) if chosen else None

    def _score(self) -> str | None:
        """The score in words, where there is one."""
        if self.validated is None:
            return None
        found = score(self.trainable, *self.validated, self.processes, self.steps_done)
        self.scores.append(found)
        return str(found)

    def _report(self, eta_s: float, message: str | None) -> None:
        progress = Progress(TRAINING, step=self.steps_done, of=self.steps, loss=self.loss, eta_s=eta_s, message=message)
        self.on_progress(progress)

    def _save(self) -> None:
        if self.processes.first:
            facts = {"steps": self.steps_done, "loss": self.loss, "scores": [asdict(each) for each in self.scores]}
            self.checkpoint.save(self.learners, facts)

    def _load(self) -> None:
        facts = self.checkpoint.load(self.learners)
        self.steps_done, self.loss = facts["steps"], facts["loss"]
        self.scores = [Score(**each) for each in facts["scores"]]
        if self.steps_done > self.steps:
            raise ConfigError(
                f"{self.job.checkpoint}: has {self.steps_done} steps behind it, {self.steps} are asked for"
            )
