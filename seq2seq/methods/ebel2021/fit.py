"""Recipe `paper`: the published one.

Ebel, Schmitt and Zhu, "Internal Learning for Sequence-to-Sequence Cloud Removal via Synthetic Aperture Radar Prior
Information" (IGARSS 2021). What the paper leaves open follows the method that it extends (Zhang et al., ICCV 2019, and
their code) and is marked so.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError
from seq2seq.nn.devices import autocast, deterministic
from seq2seq.nn.encoder_decoders import EncoderDecoder3d
from seq2seq.nn.losses import feature_maps, masked_l2_paper, perceptual_loss
from seq2seq.nn.vgg import Perceptual
from seq2seq.sequence import ImageSequence, Observations

WINDOW_DATES = 5
PASSES = 20
ITERATIONS = 100  # for each window in each pass
LEARNING_RATE = 0.01
L2_WEIGHT = 1.0
BACKSCATTER_DB = (-25.0, 0.0)  # clipped to this, then rescaled to [0, 1]
NOISE_CHANNELS = 2  # VV and VH, where noise stands in for an S1 that is not there
NOISE_SCALE = 0.1  # standard deviation of the noise input; Zhang et al.'s code


@dataclass(frozen=True)
class Schedule:
    """`passes` over all windows, `iterations` steps for each window in each of them."""

    passes: int
    iterations: int

    @classmethod
    def scaled(cls, factor: float) -> "Schedule":
        """The published schedule times `factor`.

        Iterations shrink first (rounded up, at least one), then passes (rounded, at least one): 1 -> 20 x 100,
        0.1 -> 20 x 10, 0.01 -> 20 x 1, 0.0005 and less -> 1 x 1.
        """
        iterations = max(1, math.ceil(round(ITERATIONS * factor, 9)))
        return cls(passes=max(1, round(PASSES * ITERATIONS * factor / iterations)), iterations=iterations)


def rescale_backscatter(decibel: NDArray[np.float32]) -> NDArray[np.float32]:
    """dB -> [0, 1]: clipped to [-25, 0], -25 becomes 0. Section 3 of the paper."""
    low, high = BACKSCATTER_DB
    return ((np.clip(decibel, low, high) - low) / (high - low)).astype(np.float32)


def network_input(observations: Observations, config: ReconstructionConfig) -> Tensor:
    """(channels, T, H, W): rescaled S1, or fixed Gaussian noise in its stead (the paper's ablation).

    Where S1 was not observed (the paper's always was) stands the mean of what was, band by band. Raises ConfigError.
    """
    t, _, h, w = observations.s2.shape
    s1 = observations.s1
    if config.paper_input == "noise":
        channels = NOISE_CHANNELS if s1 is None else s1.shape[1]
        noise = torch.randn((channels, t, h, w), generator=torch.Generator().manual_seed(config.seed))
        return NOISE_SCALE * noise
    if s1 is None:
        raise ConfigError("recipe paper needs S1 and there is none; use --paper-input noise, or recipe internal")
    return torch.from_numpy(_filled(s1)).transpose(0, 1)


def _filled(s1: ImageSequence) -> NDArray[np.float32]:
    """(T, C, H, W) in [0, 1]."""
    scaled = rescale_backscatter(s1.pixels)
    observed = s1.observed[:, None]
    total = np.where(observed, scaled, 0).sum(axis=(0, 2, 3), dtype=np.float64)
    mean = total / max(1, np.count_nonzero(s1.observed))
    return np.where(observed, scaled, mean.astype(np.float32)[:, None, None])


def window_order(windows: int, *, seed: int, passed: int) -> list[int]:
    """Order in which pass number `passed` visits the windows: at random, the middle one last (Zhang et al.'s code).

    It follows from `seed` and the number alone, so that a resumed fit needs no random state.
    """
    middle = windows // 2
    order = np.random.default_rng((seed, passed)).permutation(windows).tolist()
    return [*(window for window in order if window != middle), middle]


def to_images(output: Tensor) -> Tensor:
    """(1, C, T, H, W) -> (T, C, H, W)."""
    return output[0].transpose(0, 1)


@dataclass(frozen=True, eq=False)
class Window:
    """Adjacent dates on the device: inputs (1, channels, n, H, W), target (n, C, H, W), observed (n, H, W)."""

    start: int
    inputs: Tensor
    target: Tensor
    observed: Tensor
    target_maps: list[Tensor]


class PaperFit:
    """The fit of one sequence, step by step: the caller owns progress, stop and checkpoint.

        while fit.steps_done < fit.steps_total:
            loss = fit.step()
        pixels = fit.predict()

    Same observations, config and device: same steps, also across `state_dict` and `load_state_dict`, bit for bit.
    """

    def __init__(
        self, observations: Observations, config: ReconstructionConfig, *, device: torch.device, perceptual: Perceptual
    ) -> None:
        """Raises ConfigError where the S1 input is wanted and there is no S1."""
        self._inputs = network_input(observations, config)
        # DN clipped to [0, 10000] and rescaled to [0, 1] is reflectance clipped to [0, 1].
        self._target = torch.from_numpy(observations.s2.pixels).clamp(0.0, 1.0)
        self._observed = torch.from_numpy(observations.s2.observed)
        self._config, self._device, self._perceptual = config, device, perceptual
        self._window: Window | None = None

        dates, bands = self._target.shape[:2]
        self.window_dates = min(WINDOW_DATES, dates)
        self.windows = dates - self.window_dates + 1
        self.schedule = Schedule.scaled(config.schedule_factor)
        self.steps_done = 0
        generator = torch.Generator().manual_seed(config.seed)
        self.network = EncoderDecoder3d(len(self._inputs), bands, generator=generator).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)

    @property
    def steps_total(self) -> int:
        """Steps of the whole schedule."""
        return self.windows * self.schedule.passes * self.schedule.iterations

    def step(self, progress: float | None = None) -> float:
        """One update on the window that is due; returns the loss before it."""
        window = self._window_at(self._window_due())
        with autocast(self._device), deterministic():
            prediction = to_images(self.network(window.inputs))
            loss = L2_WEIGHT * masked_l2_paper(
                prediction, window.target, window.observed
            ) + self._config.perceptual_weight * perceptual_loss(
                self._perceptual,
                prediction,
                window.target,
                window.observed,
                distance=masked_l2_paper,
                target_maps=window.target_maps,
            )
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.steps_done += 1
        return float(loss.detach())

    def predict(self) -> NDArray[np.float32]:
        """(T, C, H, W) reflectance in [0, 1]: each date from the window in the middle of which it lies.

        The first and the last window also give their outer dates (Zhang et al.'s code); the other four predictions of a
        date are thrown away, as published.
        """
        reflectance = np.empty(tuple(self._target.shape), dtype=np.float32)
        for start in range(self.windows):
            with torch.no_grad(), autocast(self._device), deterministic():
                images = to_images(self.network(self._inputs_of(start))).cpu().numpy()
            dates = self._dates_given_by(start)
            reflectance[dates] = images[[date - start for date in dates]]
        return reflectance

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that the next steps depend on besides the arguments of the constructor."""
        return copy.deepcopy(
            {
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "steps_done": self.steps_done,
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.steps_done = int(state["steps_done"])

    def _window_due(self) -> int:
        visit = self.steps_done // self.schedule.iterations
        passed, turn = divmod(visit, self.windows)
        return window_order(self.windows, seed=self._config.seed, passed=passed)[turn]

    def _window_at(self, start: int) -> Window:
        """The window's tensors; kept until another one is asked for, since the same is due many times in a row."""
        if self._window is None or self._window.start != start:
            dates = slice(start, start + self.window_dates)
            target, observed = (values[dates].to(self._device) for values in (self._target, self._observed))
            with torch.no_grad(), autocast(self._device), deterministic():
                maps = feature_maps(self._perceptual, target, observed)
            self._window = Window(start, self._inputs_of(start), target, observed, maps)
        return self._window

    def _inputs_of(self, start: int) -> Tensor:
        return self._inputs[None, :, start : start + self.window_dates].to(self._device)

    def _dates_given_by(self, start: int) -> list[int]:
        last = self.windows - 1
        dates = range(self._target.shape[0])
        return [date for date in dates if min(max(date - self.window_dates // 2, 0), last) == start]
