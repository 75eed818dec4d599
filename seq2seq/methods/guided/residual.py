"""The network of the method: a fresh 3-D encoder-decoder, radar in, optical out, regularised towards the prior.

It learns the clear pixels of this very sequence as residual of the prior (`regressors`), and is pulled weakly to the
prior where nothing was observed. Without that a fully clouded date drifts (benchmarks/METHOD.md).
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2seq.methods.guided.features import CheckStop
from seq2seq.methods.guided.settings import GuidedSettings
from seq2seq.nn.devices import autocast, deterministic
from seq2seq.nn.encoder_decoders import GuidedEncoderDecoder3d
from seq2seq.nn.losses import masked_l2, perceptual_loss
from seq2seq.nn.vgg import Perceptual
from seq2seq.sequence import Bool, Float32
from seq2seq.tiling import Tile, blend_window, plan_tiles


@dataclass(frozen=True, eq=False)
class Scaling:
    """Reflectance to network units, band by band: (x - mean) / std of the observed pixels. Each value is (C,)."""

    mean: Float32
    std: Float32
    residual_std: Float32  # of their residuals

    @classmethod
    def of(cls, pixels: Float32, observed: Bool, prior: Float32) -> "Scaling":
        """Measures the observed pixels of (T, C, H, W)."""
        visible = np.moveaxis(pixels, 1, -1)[observed]
        residual = visible - np.moveaxis(prior, 1, -1)[observed]
        floor = np.float32(1e-4)
        stds = (np.maximum(values.std(axis=0), floor) for values in (visible, residual))
        return cls(visible.mean(axis=0), *stds)


class ResidualFit:
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
        settings: GuidedSettings,
        *,
        seed: int,
        device: torch.device,
        perceptual: Perceptual,
        perceptual_weight: float,
        warm: "ResidualFit | None" = None,
    ) -> None:
        """pixels, prior: (T, C, H, W) reflectance; observed (T, H, W); radar (T, F, H, W) standardised, or None.

        warm: a fit of the same sequence to start from; fewer steps are due then.
        """
        self._scaling = Scaling.of(pixels, observed, prior)
        self._prior, self._observed, self._radar = prior, observed, radar
        residual = np.where(observed[:, None], pixels - prior, 0) / self._scaling.residual_std[:, None, None]
        self._target = residual.astype(np.float32)
        self._pixels = pixels
        self._settings, self._seed, self._device = settings, seed, device
        self._perceptual, self._perceptual_weight = perceptual, perceptual_weight
        bands = pixels.shape[1]
        generator = torch.Generator().manual_seed(seed)
        radar_channels = 0 if radar is None else radar.shape[1]
        self.network = GuidedEncoderDecoder3d(radar_channels, bands, bands, generator=generator).to(device)
        if warm is not None:
            self.network.load_state_dict(warm.average.state_dict())
        self.average = copy.deepcopy(self.network).eval()
        self._rate = settings.learning_rate if warm is None else settings.refit_learning_rate
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=self._rate, weight_decay=settings.weight_decay)
        self.steps_total, self.steps_done = settings.steps if warm is None else settings.refit_steps, 0

    def step(self, elapsed_share: float | None = None) -> float:
        """Makes one update on a random crop and returns its loss; see `Fit`."""
        done = self.steps_done / self.steps_total
        self._set_rate(max(done, elapsed_share or 0.0))
        rng = np.random.default_rng((self._seed, self.steps_done))
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []), deterministic():
            torch.manual_seed(int(rng.integers(2**31)))
            loss = self._loss(*self._crop(rng))
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._settings.gradient_norm)
            self.optimizer.step()
        self._average()
        self.steps_done += 1
        return loss.item()

    def predict(self, prior: Float32, radar: Float32 | None, check_stop: CheckStop) -> Float32:
        """Predicts (T, C, H, W) reflectance: `prior` + residual_std x the EMA network's residual, window by window."""
        height, width = prior.shape[2:]
        window_px, overlap_px = self._settings.window_px, self._settings.window_overlap_px
        windows = plan_tiles(height, width, tile_px=window_px, overlap_px=overlap_px)
        outputs = []
        for window in windows:
            check_stop()
            outputs.append(self._predict_window(window, prior, radar))

        def part(window: Tile, rows: slice, columns: slice) -> Float32:
            return outputs[window.index][:, :, rows, columns]

        whole = (slice(0, height), slice(0, width))
        residual = blend_window(windows, *whole, part, overlap_px=overlap_px)
        predicted: Float32 = (prior + residual * self._scaling.residual_std[:, None, None]).astype(np.float32)
        return predicted

    def state_dict(self) -> dict[str, Any]:
        """Returns all that `load_state_dict` needs to go on exactly."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps_done": self.steps_done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverts `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps_done = int(state["steps_done"])

    def _set_rate(self, progress: float) -> None:
        last = self._settings.last_rate
        cosine = last + (1 - last) * 0.5 * (1 + np.cos(np.pi * min(progress, 1.0)))
        for group in self.optimizer.param_groups:
            # a plain number: torch reads no other back from a checkpoint
            group["lr"] = float(self._rate * min(1.0, (self.steps_done + 1) / self._settings.warm_up_steps) * cosine)

    def _crop(self, rng: np.random.Generator) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
        """A random crop, rotated and flipped: radar, scaled prior, target, observed, clear pixels; dates first."""
        height, width = self._observed.shape[1:]
        size = (min(self._settings.crop_px, height), min(self._settings.crop_px, width))
        row, column = (int(rng.integers(full - part + 1)) for full, part in zip((height, width), size, strict=True))
        window = np.s_[..., row : row + size[0], column : column + size[1]]
        quarters, flipped = int(rng.integers(4)), rng.random() < 0.5

        def cropped(images: Float32 | Bool) -> Tensor:
            rotated = np.rot90(images[window], quarters, axes=(-2, -1))
            rotated = rotated[..., ::-1] if flipped else rotated
            return torch.from_numpy(np.ascontiguousarray(rotated)).to(self._device)

        radar = None if self._radar is None else cropped(self._radar)
        return radar, cropped(self._prior), cropped(self._target), cropped(self._observed), cropped(self._pixels)

    def _loss(self, radar: Tensor | None, prior: Tensor, target: Tensor, observed: Tensor, pixels: Tensor) -> Tensor:
        scaled = self._scaled(prior)
        noise, prior_weight = self._settings.input_noise, self._settings.prior_weight
        scaled = scaled + noise * torch.randn_like(scaled)
        if radar is not None:
            radar = radar + noise * torch.randn_like(radar)
        residual = self._run(self.network, radar, scaled)
        hidden = ~observed
        share = hidden.float().mean()
        # Means over unequal counts, put back in proportion: a hidden pixel weighs prior_weight times an observed one.
        weight = 1 / (1 - share + prior_weight * share)
        data = (1 - share) * masked_l2(residual, target, observed)
        prior_term = prior_weight * share * masked_l2(residual, torch.zeros_like(target), hidden)
        loss = weight * (data + prior_term)
        if self._perceptual.used:
            image = prior + residual * torch.from_numpy(self._scaling.residual_std).to(prior)[:, None, None]
            loss = loss + self._perceptual_weight * perceptual_loss(self._perceptual, image, pixels, observed)
        return loss

    def _scaled(self, prior: Tensor) -> Tensor:
        mean, std = (torch.from_numpy(a).to(prior)[:, None, None] for a in (self._scaling.mean, self._scaling.std))
        return (prior - mean) / std

    def _run(self, network: GuidedEncoderDecoder3d, radar: Tensor | None, scaled: Tensor) -> Tensor:
        """(T, C, h, w) residuals in network units."""
        with autocast(self._device):
            stacked = None if radar is None else radar.transpose(0, 1)[None]  # (1, F, T, h, w)
            output: Tensor = network(stacked, scaled.transpose(0, 1)[None])[0].transpose(0, 1)
        return output

    @torch.no_grad()
    def _average(self) -> None:
        """Updates the EMA of the weights, which looks back on fewer steps at the beginning."""
        keep = min(1 - 1 / self._settings.ema_steps, (self.steps_done + 1) / (self.steps_done + 10))
        for mean, current in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(current, 1 - keep)

    @torch.no_grad()
    def _predict_window(self, window: Tile, prior: Float32, radar: Float32 | None) -> Float32:
        def windowed(images: Float32) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(images[:, :, window.rows, window.columns])).to(self._device)

        inputs = None if radar is None else windowed(radar)
        residual = self._run(self.average, inputs, self._scaled(windowed(prior)))
        output: Float32 = residual.cpu().numpy()
        return output
