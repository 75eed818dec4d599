"""The fit: a residual network learns from pairs of the sequence itself, or comes with weights of others."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from seq2seq.methods.base import RunContext
from seq2seq.methods.dsen2_cr.learning import apply, loss_of, make_network, make_optimizer
from seq2seq.methods.dsen2_cr.settings import Dsen2CrSettings
from seq2seq.methods.image_pairs import Inputs, Pairs, unscale_optical
from seq2seq.methods.network_fit import NetworkFit, as_tensor
from seq2seq.nn.devices import deterministic, share_steps
from seq2seq.nn.dsen2_cr import Dsen2Cr
from seq2seq.sequence import Float32, Observations


class Dsen2CrFit(NetworkFit[Dsen2Cr]):
    """The fit of one sequence, step by step; see `Fit`."""

    def __init__(
        self,
        pairs: Pairs,
        network: Dsen2Cr,
        settings: Dsen2CrSettings,
        *,
        seed: int,
        device: torch.device,
        check_stop: Callable[[], None],
    ) -> None:
        self._pairs, self._settings, self._plan = pairs, settings, settings.plan
        network = network.to(device)
        optimizer = make_optimizer(network, settings)
        super().__init__(network, optimizer, steps=self._plan.steps, seed=seed, device=device, check_stop=check_stop)

    def step(self, elapsed_share: float | None = None) -> float:
        """One update on a batch of crops at the same learning rate throughout; returns the loss before it."""
        plan = self._plan
        batch = self._pairs.draw(self._generator(), batch=plan.batch, crop_px=plan.crop_px)
        parts = batch.parts(plan.crops_at_once(batch.known[0].size))
        return self._update(batch.known, parts, lambda part: loss_of(self.network, part, self._settings, self._device))

    @torch.no_grad()
    def predict(self, visible: Observations) -> dict[str, Float32]:
        """network: (T, C, H, W) reflectance in 0..1, each date from what is visible of it and from its radar."""
        inputs = Inputs.of(visible, with_sar=self.network.sar_channels > 0)
        predicted = np.empty_like(inputs.optical)
        for date, image in enumerate(inputs.optical):
            self._check_stop()
            sar = None if inputs.sar is None else as_tensor(inputs.sar[date][None], self._device)
            with deterministic():
                output = apply(self.network, as_tensor(image[None], self._device), sar)[0].cpu().numpy()
            predicted[date] = np.clip(unscale_optical(output), 0, 1)
        return {"network": predicted}


class Dsen2CrMethod:
    """DSen2-CR, behind the face of all methods.

    The published network, losses, scaling, optimiser and augmentation. What differs: it learns from the sequence alone
    unless it is given weights (`Pairs` says how), hidden pixels of its input are 0, and by default it is small enough
    for minutes (`PRESETS`). It looks at one date at a time: no other date helps it.
    """

    def __init__(self, settings: Dsen2CrSettings) -> None:
        self._settings = settings

    def start(self, visible: Observations, context: RunContext, warm: Any) -> Dsen2CrFit:
        """Builds or reads the network. Raises ConfigError and WeightsUnavailableError, before any step."""
        context.check_stop()
        settings, plan = self._settings, self._settings.plan
        channels = 0 if visible.s1 is None else len(visible.s1.bands)
        network = make_network(settings, visible.s2.bands, channels, context.seed)
        inputs = Inputs.of(visible, with_sar=network.sar_channels > 0)
        pairs = Pairs.of(visible, inputs, kind=settings.pairs, whole_share=settings.whole_share)
        share_steps(plan.batch * min(plan.crop_px, *visible.s2.shape[2:]) ** 2, context.threads)
        return Dsen2CrFit(
            pairs, network, settings, seed=context.seed, device=context.device, check_stop=context.check_stop
        )
