"""What is to be trained, on what, for how long; and the files that it leaves. Loads no torch."""

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seq2seq.datasets.base import DatasetInfo
from seq2seq.errors import ConfigError, MissingDataError, OutputError
from seq2seq.methods import METHODS
from seq2seq.methods.base import MethodInfo, Training
from seq2seq.model_card import SUFFIX
from seq2seq.settings import check_settings, from_mapping, settings_of
from seq2seq.wording import not_one_of


@dataclass(frozen=True)
class TrainingJob:
    """One training.

    settings: of the method. path: of the data set. out: the weights to be written. steps, passes, batch: None where
    they were not named; both of steps and passes may not be. readers: threads that read samples. validated: samples of
    the split `validation` that are scored now and then.
    """

    method: MethodInfo
    settings: Any
    dataset: DatasetInfo
    path: Path
    out: Path
    split: str = "train"
    validation: str = "val"
    validated: int = 64
    steps: int | None = None
    passes: float | None = None
    batch: int | None = None
    seed: int = 0
    device: str = "auto"
    readers: int = 4
    resume: bool = False

    def __post_init__(self) -> None:
        if self.steps is not None and self.passes is not None:
            raise ConfigError(f"{self.steps} steps and {self.passes:g} epochs are named; name one of them")
        if self.passes is not None and not 0 < self.passes < math.inf:
            raise ConfigError(f"epochs is {self.passes:g}, must be more than 0")

    @property
    def training(self) -> Training:
        """How the method learns."""
        return training_of(self.method)

    @property
    def checkpoint(self) -> Path:
        """All that the next steps depend on, while they are made."""
        return self.out.with_name(f"{self.out.stem}.checkpoint{SUFFIX}")

    @property
    def card(self) -> Path:
        """The model card, for people."""
        return self.out.with_suffix(".md")

    def steps_for(self, samples: int, batch: int, by_settings: int | None) -> int:
        """Counts the steps: those that were named, else as many as passes over `samples` take."""
        if self.passes is None and (self.steps or by_settings):
            return self.steps or by_settings or 0
        passes = self.training.passes if self.passes is None else self.passes
        return max(1, math.ceil(passes * samples / batch))

    def recorded_settings(self) -> dict[str, Any]:
        """Returns the method's settings as plain values; of files the names alone, for others to read."""
        files = {each.name for each in settings_of(self.method.settings) if each.local}
        values = asdict(self.settings)
        return {name: Path(value).name if name in files and value else value for name, value in values.items()}


def training_of(method: MethodInfo) -> Training:
    """Returns how a method learns from a data set. Raises `ConfigError` naming the methods that can."""
    if method.training is None:
        able = ", ".join(info.name for info in METHODS if info.training is not None)
        raise ConfigError(f"{method.name} learns from each sequence by itself; methods that can be trained: {able}")
    return method.training


def settings_for(method: MethodInfo, given: Mapping[str, Any]) -> Any:
    """Makes the method's settings for training: its own defaults of that, then those that were named."""
    values = {**training_of(method).settings, **given}
    settings: Any = from_mapping(method.settings, values, what=f"settings of method {method.name}")
    check_settings(settings)
    return settings


def check_job(job: TrainingJob, *, overwrite: bool) -> None:
    """Raises `ConfigError` and `MissingDataError` where there is nothing to read, `OutputError` where the weights could
    not be written, or something of worth is in the way."""
    if job.split not in job.dataset.splits:
        raise ConfigError(not_one_of("split", job.split, job.dataset.splits))
    if not job.path.is_dir():
        raise MissingDataError(f"{job.path}: is not a folder; give the one that holds {job.dataset.title}")
    _check_out(job, overwrite=overwrite)


def _check_out(job: TrainingJob, *, overwrite: bool) -> None:
    out, folder = job.out, job.out.parent
    if out.suffix != SUFFIX:
        raise OutputError(f"{out}: the name of weights ends in {SUFFIX}, for example {out.stem or 'weights'}{SUFFIX}")
    if not folder.is_dir():
        raise OutputError(f"{out}: the folder {folder} does not exist; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{out}: no permission to write in {folder}")
    if out.is_dir() or (out.exists() and not overwrite):
        raise OutputError(f"{out}: is there already; give another name, or --overwrite")
    if job.checkpoint.exists() and not (job.resume or overwrite):
        raise OutputError(
            f"{job.checkpoint}: a training that was not finished; --resume goes on, --overwrite begins anew"
        )
