"""The fit: generator and judge learn from pairs of the sequence itself, or the generator comes with weights."""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from seq2seq.errors import ConfigError, WeightsUnavailableError
from seq2seq.methods.base import RunContext
from seq2seq.methods.image_pairs import Batch, Inputs, Pairs
from seq2seq.methods.pix2pix.settings import Pix2PixSettings
from seq2seq.nn.devices import autocast, deterministic, share_steps
from seq2seq.nn.losses import masked_l1
from seq2seq.nn.pix2pix import PatchGan, UNet
from seq2seq.nn.trained import load_state, read_trained
from seq2seq.sequence import Float32, ImageSequence, Observations

NAME = "pix2pix"
LEAST_PX = 16
# dB that become -1 and 1, of both polarisations.
RADAR_DB = (-25.0, 0.0)
_BETAS = (0.5, 0.999)
_SHARED_WIDTH = 64


class Pix2PixFit:
    """The fit of one sequence, step by step; see `Fit`."""

    def __init__(
        self, pairs: Pairs | None, generator: UNet, judge: PatchGan, settings: Pix2PixSettings, context: RunContext
    ) -> None:
        self._pairs, self._settings, self._plan, self._context = pairs, settings, settings.plan, context
        self.generator, self.judge = generator.to(context.device), judge.to(context.device)
        rate = self._plan.learning_rate
        self._optimizers = [
            torch.optim.Adam(network.parameters(), lr=rate, betas=_BETAS) for network in (self.generator, self.judge)
        ]
        self.steps_total, self.steps_done = self._plan.steps, 0

    def step(self, elapsed_share: float | None = None) -> float:
        """One update of the judge, then of the generator; returns the generator's loss before it."""
        assert self._pairs is not None
        self._context.check_stop()
        rng = np.random.default_rng((self._context.seed, self.steps_done))
        side = max(self._plan.crop_px // self.generator.multiple_px, 1) * self.generator.multiple_px
        batch = self._pairs.draw(rng, batch=self._plan.batch, crop_px=side)
        with _seeded(self._context, self.steps_done), deterministic():
            loss = self._update(*self._tensors(batch))
        self.steps_done += 1
        return loss

    @torch.no_grad()
    def predict(self, visible: Observations) -> dict[str, Float32]:
        """generator: (T, C, H, W) reflectance in 0..1, each date from what is visible of it and from its radar."""
        inputs = inputs_of(visible, with_sar=self.generator.inputs > self.generator.outputs)
        predicted = np.empty_like(inputs.optical)
        height, width = predicted.shape[2:]
        self.generator.eval()
        for date, image in enumerate(inputs.optical):
            self._context.check_stop()
            sar = None if inputs.sar is None else inputs.sar[date][None]
            with deterministic():
                output = self._generate(self._tensor(self._padded(stacked(image[None], sar))))
            predicted[date] = (output[0, :, :height, :width].cpu().numpy() + 1) / 2
        self.generator.train()
        return {"generator": predicted}

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that the next steps depend on besides the arguments of the constructor."""
        networks = [self.generator.state_dict(), self.judge.state_dict()]
        optimizers = [each.state_dict() for each in self._optimizers]
        return copy.deepcopy({"parts": [*networks, *optimizers], "steps_done": self.steps_done})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        generator, judge, *optimizers = copy.deepcopy(state["parts"])
        self.generator.load_state_dict(generator)
        self.judge.load_state_dict(judge)
        for optimizer, values in zip(self._optimizers, optimizers, strict=True):
            optimizer.load_state_dict(values)
        self.steps_done = int(state["steps_done"])

    def _update(self, given: Tensor, target: Tensor, known: Tensor) -> float:
        """given: (B, S + C, h, w), target: (B, C, h, w), both in [-1, 1]; known: (B, h, w)."""
        made = self._generate(given)
        # Where the target is not known, neither image may be told by it.
        real, fake = (torch.where(known[:, None], image, -torch.ones_like(image)) for image in (target, made))
        for_generator, for_judge = self._optimizers
        for_judge.zero_grad()
        judged = (self._judge(given, real, real=True) + self._judge(given, fake.detach(), real=False)) / 2
        judged.backward()  # type: ignore[no-untyped-call]
        for_judge.step()
        for_generator.zero_grad()
        loss = self._judge(given, fake, real=True) + self._settings.l1_weight * masked_l1(made, target, known)
        loss.backward()  # type: ignore[no-untyped-call]
        for_generator.step()
        return float(loss.item())

    def _generate(self, given: Tensor) -> Tensor:
        with _precision(self._context.device):
            output: Tensor = self.generator(given)
        return output

    def _judge(self, given: Tensor, image: Tensor, *, real: bool) -> Tensor:
        """How far the judge is from saying so: binary cross entropy over its patches."""
        with _precision(self._context.device):
            logits = self.judge(torch.cat([given, image], 1))
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))

    def _tensors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        arrays = (stacked(batch.image, batch.sar), 2 * batch.target - 1, batch.known)
        given, target, known = (self._tensor(self._padded(each)) for each in arrays)
        return given, target, known

    def _padded(self, values: NDArray[Any]) -> NDArray[Any]:
        """Rows and columns mirrored at their ends up to what the generator can halve."""
        multiple = self.generator.multiple_px
        around = [(0, -length % multiple) for length in values.shape[-2:]]
        return np.pad(values, [(0, 0)] * (values.ndim - 2) + around, mode="reflect")

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._context.device)


def _precision(device: torch.device) -> AbstractContextManager[object]:
    """CPUs have no fast kernels for transposed convolutions in bfloat16: float32 takes a seventh less there."""
    return nullcontext() if device.type == "cpu" else autocast(device)


def inputs_of(visible: Observations, *, with_sar: bool) -> Inputs:
    """optical: (T, C, H, W) reflectance in 0..1, 0 where hidden; sar: (T, S, H, W) in [-1, 1], or None."""
    s2, s1 = visible.s2, visible.s1
    optical = np.where(s2.observed[:, None], np.clip(s2.pixels, 0, 1), np.float32(0)).astype(np.float32)
    return Inputs(optical, scale_radar(s1) if with_sar and s1 is not None else None)


def scale_radar(s1: ImageSequence) -> Float32:
    """(T, S, H, W) dB in [-1, 1]; where there is none, the mean of the date's image, else 0."""
    low, high = RADAR_DB
    seen = s1.observed[:, None]
    scaled = (np.clip(np.where(seen, s1.pixels, low), low, high) - low) / (high - low) * 2 - 1
    count = s1.observed.sum(axis=(1, 2))[:, None]
    mean = np.where(seen, scaled, 0).sum(axis=(2, 3)) / np.maximum(count, 1)
    return np.where(seen, scaled, mean[:, :, None, None]).astype(np.float32)


def stacked(image: Float32, sar: Float32 | None) -> Float32:
    """(B, C + S, h, w) in [-1, 1], of reflectance in 0..1 and radar."""
    scaled = 2 * image - 1
    return scaled if sar is None else np.concatenate([scaled, sar], axis=1)


@contextmanager
def _seeded(context: RunContext, step: int) -> Iterator[None]:
    """Dropout of a step comes from the run's seed and the step's number, and disturbs no other generator."""
    devices = [context.device] if context.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(int(np.random.default_rng((context.seed, step, 1)).integers(2**62)))
        yield


class Pix2Pix:
    """pix2pix, behind the face of all methods.

    The published networks, losses, optimiser and initial weights. What differs: it learns from the sequence alone
    unless it is given weights (`Pairs` says how), only where the target is known; hidden pixels of its input are 0;
    halvings are as many as the scene has room for; predictions are made without dropout, so that they repeat.
    """

    def __init__(self, settings: Pix2PixSettings) -> None:
        self._settings = settings

    def start(self, visible: Observations, context: RunContext, warm: Any) -> Pix2PixFit:
        """Builds or reads the networks. Raises ConfigError and WeightsUnavailableError, before any step."""
        context.check_stop()
        settings, plan = self._settings, self._settings.plan
        generator = self._generator(visible, context.seed)
        channels = generator.inputs + generator.outputs
        judge = PatchGan(channels, width=plan.width, generator=torch.Generator().manual_seed(context.seed + 1))
        pairs = None
        if plan.steps:
            inputs = inputs_of(visible, with_sar=generator.inputs > generator.outputs)
            pairs = Pairs.of(visible, inputs, kind=settings.pairs, whole_share=settings.whole_share)
        # Steps of narrow networks are too short to be shared: two threads would take twice the time of one.
        share_steps(plan.batch * plan.crop_px**2 * plan.width // _SHARED_WIDTH, context.threads)
        return Pix2PixFit(pairs, generator, judge, settings, context)

    def _generator(self, visible: Observations, seed: int) -> UNet:
        settings, plan, s1 = self._settings, self._settings.plan, visible.s1
        bands, (height, width) = len(visible.s2.bands), visible.s2.shape[2:]
        if min(height, width) < LEAST_PX:
            raise ConfigError(
                f"method {NAME} needs {LEAST_PX} x {LEAST_PX} px at least, the scene has {height} x {width}"
            )
        if settings.sar == "on" and s1 is None:
            raise ConfigError(f"method {NAME} is to use S1 and there is none; use --set sar=auto")
        radar = len(s1.bands) if s1 is not None and settings.sar != "off" else 0
        if settings.weights is not None:
            return _read_generator(Path(settings.weights), bands, 0 if s1 is None else len(s1.bands))
        random = torch.Generator().manual_seed(seed)
        downs = plan.downs_for(height, width)
        return UNet(bands + radar, bands, width=plan.width, downs=downs, generator=random)


def _read_generator(path: Path, bands: int, radar: int) -> UNet:
    """The generator that `path` holds, of the width, depth and channels of its arrays."""
    state, _ = read_trained(path, NAME)
    first, last = (state.get(f"{name}.weight") for name in ("down", "up"))
    if first is None or last is None or first.ndim != 4 or last.ndim != 4:
        raise WeightsUnavailableError(f"{NAME} weights: {path}: down.weight or up.weight is missing, or no convolution")
    (width, inputs), outputs = first.shape[:2], last.shape[1]
    downs = 1 + sum(name.endswith(".down.weight") for name in state)
    if outputs != bands:
        raise ConfigError(f"{NAME} weights in {path} are for {outputs} bands, S2 has {bands}")
    if inputs - outputs not in (0, radar):
        raise ConfigError(f"{NAME} weights in {path} need S1 with {inputs - outputs} bands, there are {radar}")
    if not 5 <= downs <= 16:
        raise WeightsUnavailableError(f"{NAME} weights: {path} has {downs} halvings, must be from 5 to 16")
    network = UNet(inputs, outputs, width=width, downs=downs)
    load_state(network, state, path, NAME)
    return network
