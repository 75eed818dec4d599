"""The fit: generator and judge learn from pairs of the sequence itself, or the generator comes with weights."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from seq2seq.errors import ConfigError
from seq2seq.methods.base import RunContext
from seq2seq.methods.image_pairs import Pairs
from seq2seq.methods.pix2pix.learning import (
    LEAST_PX,
    inputs_of,
    losses,
    make_generator,
    make_judge,
    make_optimizer,
    side_px,
    translate,
)
from seq2seq.methods.pix2pix.settings import Pix2PixSettings
from seq2seq.methods.pix2pix.weights import NAME
from seq2seq.nn.devices import deterministic, share_steps
from seq2seq.nn.pix2pix import PatchGan, UNet
from seq2seq.sequence import Float32, Observations

_SHARED_WIDTH = 64


class Pix2PixFit:
    """The fit of one sequence, step by step; see `Fit`."""

    def __init__(
        self, pairs: Pairs | None, generator: UNet, judge: PatchGan, settings: Pix2PixSettings, context: RunContext
    ) -> None:
        self._pairs, self._settings, self._plan, self._context = pairs, settings, settings.plan, context
        self.generator, self.judge = generator.to(context.device), judge.to(context.device)
        self._optimizers = [make_optimizer(network, settings) for network in (self.generator, self.judge)]
        self.steps_total, self.steps_done = self._plan.steps, 0

    def step(self, elapsed_share: float | None = None) -> float:
        """One update of the judge, then of the generator; returns the generator's loss before it."""
        assert self._pairs is not None
        self._context.check_stop()
        rng = np.random.default_rng((self._context.seed, self.steps_done))
        side = side_px(self._plan.crop_px, self.generator)
        batch = self._pairs.draw(rng, batch=self._plan.batch, crop_px=side)
        for_generator, for_judge = self._optimizers
        with _seeded(self._context, self.steps_done), deterministic():
            each_loss = losses(self.generator, self.judge, batch, self._settings, self._context.device)
            for optimizer in (for_judge, for_generator):
                optimizer.zero_grad()
                loss = next(each_loss)
                torch.autograd.backward(loss)
                optimizer.step()
        self.steps_done += 1
        return float(loss.item())

    def predict(self, visible: Observations) -> dict[str, Float32]:
        """generator: (T, C, H, W) reflectance in 0..1, each date from what is visible of it and from its radar."""
        inputs = inputs_of(visible, with_sar=self.generator.inputs > self.generator.outputs)
        predicted = np.empty_like(inputs.optical)
        for date, image in enumerate(inputs.optical):
            self._context.check_stop()
            sar = None if inputs.sar is None else inputs.sar[date][None]
            with deterministic():
                predicted[date] = translate(self.generator, image[None], sar, self._context.device)[0]
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
        height, width = visible.s2.shape[2:]
        if min(height, width) < LEAST_PX:
            raise ConfigError(
                f"method {NAME} needs {LEAST_PX} x {LEAST_PX} px at least, the scene has {height} x {width}"
            )
        channels = 0 if visible.s1 is None else len(visible.s1.bands)
        generator = make_generator(
            settings, visible.s2.bands, channels, context.seed, downs=plan.downs_for(height, width)
        )
        judge = make_judge(generator, settings, context.seed)
        pairs = None
        if plan.steps:
            inputs = inputs_of(visible, with_sar=generator.inputs > generator.outputs)
            pairs = Pairs.of(visible, inputs, kind=settings.pairs, whole_share=settings.whole_share)
        # Steps of narrow networks are too short to be shared: two threads would take twice the time of one.
        share_steps(plan.batch * plan.crop_px**2 * plan.width // _SHARED_WIDTH, context.threads)
        return Pix2PixFit(pairs, generator, judge, settings, context)
