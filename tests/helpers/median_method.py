"""The median of each pixel's clear dates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seq2seq.methods.base import CandidateInfo, MethodInfo
from seq2seq.methods.closed_form import ClosedForm, closed_form_cost
from seq2seq.settings import setting

if TYPE_CHECKING:
    from seq2seq.sequence import Float32, Observations


@dataclass(frozen=True)
class MedianSettings:
    """What may be set."""

    quantile: float = setting(0.5, about="0.5 is the median.", low=0.0, high=1.0)


class Median(ClosedForm):
    """The same image on every date."""

    def predict(self, visible: "Observations") -> "dict[str, Float32]":
        """One candidate, made of what is visible."""
        import numpy as np

        clear = np.where(visible.s2.observed[:, None], visible.s2.pixels, np.nan)
        image = np.nanquantile(clear, self.settings.quantile, axis=0)  # (C, H, W)
        image = np.where(np.isnan(image), np.nanmedian(clear), image)  # never clear
        return {"median": np.broadcast_to(image.astype(np.float32), visible.s2.shape)}


INFO = MethodInfo(
    name="median",
    title="Median of the clear dates",
    about="Each pixel's median over time, the same on every date.",
    settings=MedianSettings,
    cost=closed_form_cost,
    load=lambda: Median,
    candidates={"median": CandidateInfo("Median", share=1.0)},
)
