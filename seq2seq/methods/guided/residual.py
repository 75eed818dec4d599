"""The network of recipe `internal`: a fresh 3-D encoder-decoder, radar in, optical out, anchored to the prior.

It learns the clear pixels of this very sequence as a correction of the prior (`regressors`), and is pulled weakly to
the prior where nothing was observed. Without that anchor a date that was lost whole drifts (benchmarks/METHOD.md).
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2seq.methods.guided.features import Tick
from seq2seq.nn.devices import autocast, deterministic
from seq2seq.nn.encoder_decoders import GuidedEncoderDecoder3d
from seq2seq.nn.losses import masked_l2, perceptual_loss
from seq2seq.nn.vgg import Perceptual
from seq2seq.sequence import Bool, Float32
from seq2seq.tiling import Tile, blend_window, plan_tiles

STEPS = 120  # of a first fit
LATER_STEPS = 60  # of one that starts from an earlier fit to fewer pixels
LEARNING_RATE = 3e-3
LATER_RATE = 1.5e-3
WEIGHT_DECAY = 0.05
WARM_UP = 20  # steps
LAST_RATE = 0.02  # of the learning rate
CROP_PX = 64
ANCHOR = 0.1  # weight of a hidden pixel, which is pulled to the prior, beside an observed one
INPUT_NOISE = 0.05  # in spreads of the input
AVERAGED_STEPS = 33  # iterates are averaged exponentially over about as many
GRADIENT_NORM = 1.0
WINDOW_PX, WINDOW_OVERLAP_PX = 160, 32  # a prediction is made window by window, which bounds its memory


@dataclass(frozen=True, eq=False)
class Scaling:
    """Reflectance to network units, band by band: mean and spread (C,) of the observed pixels, spread of their
    corrections."""

    mean: Float32
    spread: Float32
    correction: Float32

    @classmethod
    def of(cls, pixels: Float32, observed: Bool, prior: Float32) -> "Scaling":
        """Of the observed pixels of (T, C, H, W)."""
        seen = np.moveaxis(pixels, 1, -1)[observed]
        left = seen - np.moveaxis(prior, 1, -1)[observed]
        floor = np.float32(1e-4)
        return cls(seen.mean(axis=0), np.maximum(seen.std(axis=0), floor), np.maximum(left.std(axis=0), floor))


class GuidedFit:
    """The fit of one tile, step by step; the caller owns progress, stop and checkpoint.

    Each step draws its crop and noise from (seed, step) alone, so a fit that went through `state_dict` and
    `load_state_dict` goes on exactly as if it had not.
    """

    average: GuidedEncoderDecoder3d

    def __init__(
        self,
        pixels: Float32,
        observed: Bool,
        prior: Float32,
        radar: Float32 | None,
        *,
        seed: int,
        device: torch.device,
        perceptual: Perceptual,
        perceptual_weight: float,
        earlier: "GuidedFit | None" = None,
    ) -> None:
        """pixels, prior: (T, C, H, W) reflectance; observed (T, H, W); radar (T, F, H, W) standardised, or None.

        earlier: a fit of the same sequence to start from; fewer steps are due then.
        """
        self._scaling = Scaling.of(pixels, observed, prior)
        self._prior, self._observed, self._radar = prior, observed, radar
        left = np.where(observed[:, None], pixels - prior, 0) / self._scaling.correction[:, None, None]
        self._target = left.astype(np.float32)
        self._pixels = pixels
        self._seed, self._device = seed, device
        self._perceptual, self._perceptual_weight = perceptual, perceptual_weight
        bands = pixels.shape[1]
        generator = torch.Generator().manual_seed(seed)
        radar_channels = 0 if radar is None else radar.shape[1]
        self.network = GuidedEncoderDecoder3d(radar_channels, bands, bands, generator=generator).to(device)
        if earlier is not None:
            self.network.load_state_dict(earlier.average.state_dict())
        self.average = copy.deepcopy(self.network).eval()
        self._rate = LEARNING_RATE if earlier is None else LATER_RATE
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=self._rate, weight_decay=WEIGHT_DECAY)
        self.steps_total, self.steps_done = STEPS if earlier is None else LATER_STEPS, 0

    def step(self, progress: float | None = None) -> float:
        """One update on a random crop; returns its loss. progress: share of the time gone where time is the limit."""
        done = self.steps_done / self.steps_total
        self._set_rate(max(done, progress or 0.0))
        rng = np.random.default_rng((self._seed, self.steps_done))
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []), deterministic():
            torch.manual_seed(int(rng.integers(2**31)))
            loss = self._loss(*self._crop(rng))
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
            self.optimizer.step()
        self._average()
        self.steps_done += 1
        return loss.item()

    def predict(self, prior: Float32, radar: Float32 | None, tick: Tick) -> Float32:
        """(T, C, H, W) reflectance: the averaged network's correction of `prior`, window by window."""
        height, width = prior.shape[2:]
        windows = plan_tiles(height, width, tile_px=WINDOW_PX, overlap_px=WINDOW_OVERLAP_PX)
        outputs = []
        for window in windows:
            tick()
            outputs.append(self._predict_window(window, prior, radar))

        def part(window: Tile, rows: slice, columns: slice) -> Float32:
            return outputs[window.index][:, :, rows, columns]

        whole = (slice(0, height), slice(0, width))
        correction = blend_window(windows, *whole, part, overlap_px=WINDOW_OVERLAP_PX)
        predicted: Float32 = (prior + correction * self._scaling.correction[:, None, None]).astype(np.float32)
        return predicted

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on exactly."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps_done": self.steps_done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps_done = int(state["steps_done"])

    def _set_rate(self, progress: float) -> None:
        cosine = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + np.cos(np.pi * min(progress, 1.0)))
        for group in self.optimizer.param_groups:
            # a plain number: torch reads no other back from a checkpoint
            group["lr"] = float(self._rate * min(1.0, (self.steps_done + 1) / WARM_UP) * cosine)

    def _crop(self, rng: np.random.Generator) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
        """A random piece, turned and mirrored: radar, scaled prior, target, observed, clear pixels; dates first."""
        height, width = self._observed.shape[1:]
        size = (min(CROP_PX, height), min(CROP_PX, width))
        row, column = (int(rng.integers(full - part + 1)) for full, part in zip((height, width), size, strict=True))
        window = np.s_[..., row : row + size[0], column : column + size[1]]
        turns, mirrored = int(rng.integers(4)), rng.random() < 0.5

        def piece(images: Float32 | Bool) -> Tensor:
            turned = np.rot90(images[window], turns, axes=(-2, -1))
            turned = turned[..., ::-1] if mirrored else turned
            return torch.from_numpy(np.ascontiguousarray(turned)).to(self._device)

        radar = None if self._radar is None else piece(self._radar)
        return radar, piece(self._prior), piece(self._target), piece(self._observed), piece(self._pixels)

    def _loss(self, radar: Tensor | None, prior: Tensor, target: Tensor, observed: Tensor, pixels: Tensor) -> Tensor:
        scaled = self._scaled(prior)
        scaled = scaled + INPUT_NOISE * torch.randn_like(scaled)
        if radar is not None:
            radar = radar + INPUT_NOISE * torch.randn_like(radar)
        correction = self._run(self.network, radar, scaled)
        hidden = ~observed
        share = hidden.float().mean()
        # Means over unequal counts, put back in proportion: a hidden pixel weighs ANCHOR times an observed one.
        weight = 1 / (1 - share + ANCHOR * share)
        data = (1 - share) * masked_l2(correction, target, observed)
        anchor = ANCHOR * share * masked_l2(correction, torch.zeros_like(target), hidden)
        loss = weight * (data + anchor)
        if self._perceptual.used:
            image = prior + correction * torch.from_numpy(self._scaling.correction).to(prior)[:, None, None]
            loss = loss + self._perceptual_weight * perceptual_loss(self._perceptual, image, pixels, observed)
        return loss

    def _scaled(self, prior: Tensor) -> Tensor:
        mean, spread = (
            torch.from_numpy(a).to(prior)[:, None, None] for a in (self._scaling.mean, self._scaling.spread)
        )
        return (prior - mean) / spread

    def _run(self, network: GuidedEncoderDecoder3d, radar: Tensor | None, scaled: Tensor) -> Tensor:
        """(T, C, h, w) corrections in network units."""
        with autocast(self._device):
            stacked = None if radar is None else radar.transpose(0, 1)[None]  # (1, F, T, h, w)
            output: Tensor = network(stacked, scaled.transpose(0, 1)[None])[0].transpose(0, 1)
        return output

    @torch.no_grad()
    def _average(self) -> None:
        """Exponential average of the iterates, over fewer of them at the beginning."""
        keep = min(1 - 1 / AVERAGED_STEPS, (self.steps_done + 1) / (self.steps_done + 10))
        for mean, current in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(current, 1 - keep)

    @torch.no_grad()
    def _predict_window(self, window: Tile, prior: Float32, radar: Float32 | None) -> Float32:
        def piece(images: Float32) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(images[:, :, window.rows, window.columns])).to(self._device)

        correction = self._run(self.average, None if radar is None else piece(radar), self._scaled(piece(prior)))
        output: Float32 = correction.cpu().numpy()
        return output
