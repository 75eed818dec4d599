"""The published method, step by step.

Ebel, Schmitt and Zhu, "Internal Learning for Sequence-to-Sequence Cloud Removal via Synthetic Aperture Radar Prior
Information" (IGARSS 2021). Details that the paper leaves open follow the method that it extends (Zhang et al., ICCV
2019, and their code) and are marked so.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.methods.base import RunContext
from seq2seq.methods.ebel2021.settings import Ebel2021Settings
from seq2seq.nn.devices import autocast, deterministic, share_steps
from seq2seq.nn.encoder_decoders import EncoderDecoder3d
from seq2seq.nn.losses import feature_maps, masked_l2_paper, perceptual_loss
from seq2seq.nn.vgg import Perceptual
from seq2seq.sequence import ImageSequence, Observations


@dataclass(frozen=True)
class Schedule:
    """`passes` over all windows, `iterations` steps for each window in each of them."""

    passes: int
    iterations: int

    @classmethod
    def of(cls, settings: Ebel2021Settings) -> "Schedule":
        """Scales the published schedule by `settings.schedule_factor`.

        Iterations shrink first (rounded up, at least one), then passes (rounded, at least one): 1 -> 20 x 100,
        0.1 -> 20 x 10, 0.01 -> 20 x 1, 0.0005 and less -> 1 x 1.
        """
        factor, published = settings.schedule_factor, settings.iterations
        iterations = max(1, math.ceil(round(published * factor, 9)))
        passes = max(1, round(settings.passes * published * factor / iterations))
        return cls(passes=passes, iterations=iterations)


def rescale_backscatter(decibel: NDArray[np.float32], limits_db: tuple[float, float]) -> NDArray[np.float32]:
    """Rescales dB to [0, 1]: (dB - low) / (high - low), clipped to `limits_db`. Section 3 of the paper."""
    low, high = limits_db
    return ((np.clip(decibel, low, high) - low) / (high - low)).astype(np.float32)


def network_input(observations: Observations, settings: Ebel2021Settings, seed: int) -> Tensor:
    """Returns (channels, T, H, W): rescaled S1, or fixed Gaussian noise in its stead (the paper's ablation).

    Where S1 was not observed (the paper's always was) stands the mean of what was, band by band. Raises ConfigError.
    """
    t, _, h, w = observations.s2.shape
    s1 = observations.s1
    if settings.network_input == "noise":
        channels = settings.noise_channels if s1 is None else s1.shape[1]
        noise = torch.randn((channels, t, h, w), generator=torch.Generator().manual_seed(seed))
        return settings.noise_std * noise
    if s1 is None:
        raise ConfigError(
            "method ebel2021 needs S1 and there is none; use --set network_input=noise, or another method"
        )
    return torch.from_numpy(_filled(s1, (settings.lowest_backscatter_db, settings.highest_backscatter_db))).transpose(
        0, 1
    )


def _filled(s1: ImageSequence, limits_db: tuple[float, float]) -> NDArray[np.float32]:
    """(T, C, H, W) in [0, 1]."""
    scaled = rescale_backscatter(s1.pixels, limits_db)
    observed = s1.observed[:, None]
    total = np.where(observed, scaled, 0).sum(axis=(0, 2, 3), dtype=np.float64)
    mean = total / max(1, np.count_nonzero(s1.observed))
    return np.where(observed, scaled, mean.astype(np.float32)[:, None, None])


def window_order(windows: int, *, seed: int, passed: int) -> list[int]:
    """Orders the windows for pass number `passed`: at random, the middle one last (Zhang et al.'s code).

    It follows from `seed` and the number alone, so that a resumed fit needs no random state.
    """
    middle = windows // 2
    order = np.random.default_rng((seed, passed)).permutation(windows).tolist()
    return [*(window for window in order if window != middle), middle]


def to_images(output: Tensor) -> Tensor:
    """Turns (1, C, T, H, W) into (T, C, H, W)."""
    return output[0].transpose(0, 1)


@dataclass(frozen=True, eq=False)
class Window:
    """Adjacent dates on the device: inputs (1, channels, n, H, W), target (n, C, H, W), observed (n, H, W)."""

    start: int
    inputs: Tensor
    target: Tensor
    observed: Tensor
    target_maps: list[Tensor]


class Ebel2021Fit:
    """The fit of one sequence, step by step: the caller owns progress, stop and checkpoint.

        while fit.steps_done < fit.steps_total:
            loss = fit.step()
        pixels = fit.predict(visible)["network"]

    Same observations, settings, seed and device: same steps, also across `state_dict` and `load_state_dict`, bit
    for bit.
    """

    def __init__(
        self,
        observations: Observations,
        settings: Ebel2021Settings,
        *,
        seed: int,
        device: torch.device,
        perceptual: Perceptual,
        perceptual_weight: float,
    ) -> None:
        """Raises ConfigError where the S1 input is wanted and there is no S1."""
        self._inputs = network_input(observations, settings, seed)
        # DN clipped to [0, 10000] and rescaled to [0, 1] is reflectance clipped to [0, 1].
        self._target = torch.from_numpy(observations.s2.pixels).clamp(0.0, 1.0)
        self._observed = torch.from_numpy(observations.s2.observed)
        self._settings, self._seed, self._device = settings, seed, device
        self._perceptual, self._perceptual_weight = perceptual, perceptual_weight
        self._window: Window | None = None

        dates, bands = self._target.shape[:2]
        self.window_dates = min(settings.window_dates, dates)
        self.windows = dates - self.window_dates + 1
        self.schedule = Schedule.of(settings)
        self.steps_done = 0
        generator = torch.Generator().manual_seed(seed)
        self.network = EncoderDecoder3d(len(self._inputs), bands, generator=generator).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)

    @property
    def steps_total(self) -> int:
        """Steps of the whole schedule."""
        return self.windows * self.schedule.passes * self.schedule.iterations

    def step(self, elapsed_share: float | None = None) -> float:
        """Makes one update on the window that is due; returns the loss before it."""
        window = self._window_at(self._window_due())
        with autocast(self._device), deterministic():
            prediction = to_images(self.network(window.inputs))
            reconstruction = masked_l2_paper(prediction, window.target, window.observed)
            features = perceptual_loss(
                self._perceptual,
                prediction,
                window.target,
                window.observed,
                distance=masked_l2_paper,
                target_maps=window.target_maps,
            )
            loss = self._settings.l2_weight * reconstruction + self._perceptual_weight * features
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.steps_done += 1
        return float(loss.detach())

    def predict(self, visible: Observations) -> dict[str, NDArray[np.float32]]:
        """Predicts `network`, (T, C, H, W) reflectance in [0, 1], each date from the window in the middle of which it
        lies.

        Its input is radar alone, so it is the same whatever is visible.

        The first and the last window also give their outer dates (Zhang et al.'s code); the other four predictions of a
        date are thrown away, as published.
        """
        reflectance = np.empty(tuple(self._target.shape), dtype=np.float32)
        for start in range(self.windows):
            with torch.no_grad(), autocast(self._device), deterministic():
                images = to_images(self.network(self._inputs_of(start))).cpu().numpy()
            dates = self._dates_given_by(start)
            reflectance[dates] = images[[date - start for date in dates]]
        return {"network": reflectance}

    def state_dict(self) -> dict[str, Any]:
        """Returns a copy of all that the next steps depend on besides the arguments of the constructor."""
        return copy.deepcopy(
            {
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "steps_done": self.steps_done,
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverts `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.steps_done = int(state["steps_done"])

    def _window_due(self) -> int:
        visit = self.steps_done // self.schedule.iterations
        passed, turn = divmod(visit, self.windows)
        return window_order(self.windows, seed=self._seed, passed=passed)[turn]

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


class Ebel2021:
    """The published method behind the interface of all methods."""

    def __init__(self, settings: Ebel2021Settings) -> None:
        self._settings = settings

    def start(self, visible: Observations, context: RunContext, warm: Any) -> Ebel2021Fit:
        """Builds the network; there is nothing to prepare. Raises ConfigError where S1 is wanted and there is none."""
        context.check_stop()
        dates, _, height, width = visible.s2.shape
        share_steps(dates * height * width, context.threads)
        return Ebel2021Fit(
            visible,
            self._settings,
            seed=context.seed,
            device=context.device,
            perceptual=context.perceptual,
            perceptual_weight=context.perceptual_weight,
        )
