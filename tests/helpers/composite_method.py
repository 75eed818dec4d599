"""A quantile of each pixel's clear dates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seq2seq.methods.base import CandidateInfo, MethodInfo
from seq2seq.methods.closed_form import ClosedForm, closed_form_cost
from seq2seq.settings import setting

if TYPE_CHECKING:
    from seq2seq.sequence import Float32, Observations


@dataclass(frozen=True)
class CompositeSettings:
    """What may be set."""

    quantile: float = setting(0.5, about="0.5 is the median.", low=0.0, high=1.0)


class Composite(ClosedForm):
    """The same image on every date."""

    def predict(self, visible: "Observations") -> "dict[str, Float32]":
        """One candidate, made of what is visible."""
        import numpy as np

        clear = np.where(visible.s2.observed[:, None], visible.s2.pixels, np.nan)
        image = np.nanquantile(clear, self.settings.quantile, axis=0)  # (C, H, W)
        image = np.where(np.isnan(image), np.nanmedian(clear), image)  # never clear
        return {"composite": np.broadcast_to(image.astype(np.float32), visible.s2.shape)}


INFO = MethodInfo(
    name="composite",
    title="Quantile of the clear dates",
    about="Each pixel's quantile over time, the same on every date.",
    settings=CompositeSettings,
    cost=closed_form_cost,
    load=lambda: Composite,
    candidates={"composite": CandidateInfo("Composite", share=1.0)},
)
