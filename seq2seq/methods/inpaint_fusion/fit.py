"""The fit: dates hidden by the sequence's own clouds and inpainted, beside what they had been; radar corrects."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2seq.errors import ConfigError, WeightsUnavailableError
from seq2seq.methods.base import Arrays, RunContext
from seq2seq.methods.image_pairs import scale_optical, scale_sar, unscale_optical
from seq2seq.methods.inpaint_fusion.inpainting import Biharmonic, Diffusion, Inpainter, inpaint_dates
from seq2seq.methods.inpaint_fusion.settings import InpaintFusionSettings
from seq2seq.nn.devices import autocast, deterministic, share_steps
from seq2seq.nn.dsen2_cr import Dsen2Cr
from seq2seq.nn.losses import cloud_adaptive_l1
from seq2seq.nn.trained import load_state, read_trained
from seq2seq.sequence import Bool, Float32, Observations
from seq2seq.validation.hiding import CloudShapes

NAME = "inpaint-fusion"
_EPS, _MOMENTUM_DECAY = 1e-8, 4e-3  # of Nadam, as DSen2-CR has it


class InpaintFusionFit:
    """The fit of one sequence, step by step; see `Fit`.

    inpainted: (N, C, H, W) in 0..5, dates of which more was hidden and filled, `clear` (N, H, W) where they still
    showed the ground; `dates` (N,) which they are of.
    """

    def __init__(
        self,
        visible: Observations,
        stages: Arrays,
        inpainter: Inpainter,
        network: Dsen2Cr,
        settings: InpaintFusionSettings,
        context: RunContext,
    ) -> None:
        self._settings, self._plan, self._context, self._inpainter = settings, settings.plan, context, inpainter
        self.notes = (inpainter.sentence,)
        self._target, self._known = scale_optical(visible.s2.pixels), visible.s2.observed
        self._inpainted, self._clear, self._dates = (stages[name] for name in ("inpainted", "clear", "dates"))
        self.network = network.to(context.device)
        self._sar = self._radar(visible)
        self.optimizer = torch.optim.NAdam(
            self.network.parameters(), lr=self._plan.learning_rate, eps=_EPS, momentum_decay=_MOMENTUM_DECAY
        )
        self.steps_total, self.steps_done = self._plan.steps, 0

    def step(self, elapsed_share: float | None = None) -> float:
        """One update on a batch of crops; returns the loss before it."""
        self._context.check_stop()
        rng = np.random.default_rng((self._context.seed, self.steps_done))
        crops = [self._crop(rng) for _ in range(self._plan.batch)]
        image, sar, target, clear, known = (self._tensor(np.stack(each)) for each in zip(*crops, strict=True))
        self.optimizer.zero_grad()
        with deterministic():
            prediction = self._run(image, None if self._sar is None else sar)
            loss = cloud_adaptive_l1(
                prediction, image, target, clear, known, target_weight=self._settings.target_weight
            )
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        self.steps_done += 1
        return float(loss.item())

    @torch.no_grad()
    def predict(self, visible: Observations) -> dict[str, Float32]:
        """inpainted, fused: (T, C, H, W) reflectance in 0..1."""
        s2 = visible.s2
        inpainted = inpaint_dates(s2, s2.observed, self._inpainter, self._context.check_stop)
        sar, fused = self._radar(visible), np.empty_like(inpainted)
        for date, image in enumerate(inpainted):
            self._context.check_stop()
            radar = None if sar is None else self._tensor(sar[date][None])
            with deterministic():
                output = self._run(self._tensor(scale_optical(image)[None]), radar)[0].cpu().numpy()
            fused[date] = np.clip(unscale_optical(output), 0, 1)
        return {"inpainted": inpainted, "fused": fused}

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that the next steps depend on besides the arguments of the constructor."""
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        return copy.deepcopy({**state, "steps_done": self.steps_done})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.steps_done = int(state["steps_done"])

    def _crop(self, rng: np.random.Generator) -> tuple[Float32, Float32, Float32, Bool, Bool]:
        """inpainted, sar (of no channels where there is none), target, clear, known: a window, turned and flipped."""
        draw = int(rng.integers(len(self._dates)))
        date, (height, width) = int(self._dates[draw]), self._known.shape[1:]
        side = min(self._plan.crop_px, height, width)
        row, column = (int(rng.integers(length - side + 1)) for length in (height, width))
        window = np.s_[..., row : row + side, column : column + side]
        sar = np.empty((0, side, side), np.float32) if self._sar is None else self._sar[date][window]
        parts = (self._inpainted[draw][window], sar, self._target[date][window], self._clear[draw][window],
                 self._known[date][window])  # fmt: skip
        quarters, flipped = int(rng.integers(4)), bool(rng.integers(2))
        turned = (np.rot90(part, quarters, axes=(-2, -1)) for part in parts)
        image, sar, target, clear, known = (np.flip(part, -1) if flipped else part for part in turned)
        return image, sar, target, clear, known

    def _radar(self, visible: Observations) -> Float32 | None:
        return scale_sar(visible.s1) if self.network.sar_channels and visible.s1 is not None else None

    def _run(self, image: Tensor, sar: Tensor | None) -> Tensor:
        with autocast(self._context.device):
            output: Tensor = self.network(image, sar)
        return output

    def _tensor(self, values: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._context.device)


class InpaintFusion:
    """Inpainting, then fusion, behind the face of all methods.

    Clouds and shadows are masked, an inpainter fills each date by itself, and a residual network with DSen2-CR's loss
    corrects what it filled by radar. The network learns on dates of which more was hidden, in the shapes of the
    sequence's own clouds.
    """

    def __init__(self, settings: InpaintFusionSettings) -> None:
        self._settings = settings

    def start(self, visible: Observations, context: RunContext, warm: Any) -> InpaintFusionFit:
        """Inpaints what is to be learnt from. Raises ConfigError and WeightsUnavailableError, before that."""
        context.check_stop()
        settings, plan = self._settings, self._settings.plan
        network, inpainter = self._network(visible, context.seed), self._inpainter(context)
        share_steps(plan.batch * min(plan.crop_px, *visible.s2.shape[2:]) ** 2, context.threads)
        stages: Arrays = {
            "inpainted": np.empty((0, *visible.s2.shape[1:]), np.float32),
            "clear": np.empty((0, *visible.s2.shape[2:]), bool),
            "dates": np.empty(0, np.int64),
        }
        if plan.steps:
            context.expect({"inpainting": 1.0})
            stages = context.cached("inpainting", lambda: self._lessons(visible, inpainter, context))
        return InpaintFusionFit(visible, stages, inpainter, network, settings, context)

    def _lessons(self, visible: Observations, inpainter: Inpainter, context: RunContext) -> Arrays:
        """Every date that shows anything, hidden further and inpainted, as often as `draws` says."""
        s2, rng = visible.s2, np.random.default_rng((context.seed, 1))
        shapes, dates = CloudShapes.of(s2.observed), np.flatnonzero(s2.observed.any(axis=(1, 2)))
        images, clears = [], []
        for _ in range(self._settings.draws):
            pasted = np.zeros_like(s2.observed)
            for date in dates:
                whole = rng.random() < self._settings.whole_share
                pasted[date] = True if whole else shapes.draw(rng, s2.observed.shape[1:])
            clear = s2.observed & ~pasted
            images.append(scale_optical(inpaint_dates(s2, clear, inpainter, context.check_stop))[dates])
            clears.append(clear[dates])
        return {
            "inpainted": np.concatenate(images),
            "clear": np.concatenate(clears),
            "dates": np.tile(dates, self._settings.draws),
        }

    def _inpainter(self, context: RunContext) -> Inpainter:
        settings = self._settings
        if settings.diffusion is None:
            return Biharmonic()
        return Diffusion(settings.diffusion, steps=settings.diffusion_steps, seed=context.seed, device=context.device)

    def _network(self, visible: Observations, seed: int) -> Dsen2Cr:
        settings, plan, s1, bands = self._settings, self._settings.plan, visible.s1, len(visible.s2.bands)
        if settings.sar == "on" and s1 is None:
            raise ConfigError(f"method {NAME} is to use S1 and there is none; use --set sar=auto")
        radar = len(s1.bands) if s1 is not None and settings.sar != "off" else 0
        if settings.weights is not None:
            return _read_network(Path(settings.weights), bands, radar)
        generator = torch.Generator().manual_seed(seed)
        network = Dsen2Cr(bands, radar, width=plan.width, blocks=plan.blocks, generator=generator)
        with torch.no_grad():
            network.tail.weight.mul_(0)  # the fit begins from what was inpainted
        return network


def _read_network(path: Path, bands: int, radar: int) -> Dsen2Cr:
    """The fusing network that `path` holds, of the width and depth of its arrays."""
    state, _ = read_trained(path, NAME)
    head = state.get("head.weight")
    if head is None or head.ndim != 4:
        raise WeightsUnavailableError(f"{NAME} weights: {path}: head.weight is missing, or no convolution")
    width, inputs = head.shape[:2]
    if inputs not in (bands, bands + radar):
        raise ConfigError(f"{NAME} weights in {path} see {inputs} bands; there are {bands} of S2 and {radar} of S1")
    blocks = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    network = Dsen2Cr(bands, inputs - bands, width=width, blocks=blocks)
    load_state(network, state, path, NAME)
    return network
