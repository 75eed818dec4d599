"""What of pix2pix may be varied. The published size and schedule are a preset; a sequence has a smaller one."""

from dataclasses import dataclass, replace
from typing import Literal

from seq2seq.methods.presets import clouds_of_training, of_preset, with_named
from seq2seq.settings import hyperparameter, setting


@dataclass(frozen=True)
class Plan:
    """Networks and how they are fitted, all numbers set."""

    width: int
    downs: int
    steps: int
    batch: int
    crop_px: int
    learning_rate: float

    def downs_for(self, height: float, width: float) -> int:
        """As many halvings as the shorter side has room for, five at least: smaller scenes are mirrored outwards."""
        return max(5, min(self.downs, int(min(height, width)).bit_length() - 1))


# 200 epochs over a data set have no counterpart on one sequence: the steps of `paper` are ours.
PRESETS = {
    "sequence": Plan(width=16, downs=6, steps=800, batch=2, crop_px=64, learning_rate=2e-4),
    "paper": Plan(width=64, downs=8, steps=20_000, batch=1, crop_px=256, learning_rate=2e-4),
}


@dataclass(frozen=True)
class Pix2PixSettings:
    """Radar, pairs to learn from, weights; and the networks with their schedule, where not the preset's."""

    preset: Literal["sequence", "paper"] = setting(
        "sequence", about="Networks and schedule: of minutes for one sequence, or the published ones, for a GPU."
    )
    sar: Literal["auto", "on", "off"] = setting("auto", about="Whether it sees Sentinel-1; auto: where there is any.")
    pairs: Literal["pasted", "dates"] = setting(
        "pasted",
        about="It learns from dates with clouds pasted on clear pixels, or from cloudy dates and nearest clear values.",
    )
    weights: str | None = setting(
        None,
        about="File with trained weights of the generator, .safetensors; nothing is learnt then.",
        metavar="FILE",
        local=True,
    )
    clouds: Literal["shown", "hidden"] = clouds_of_training()
    width: int | None = of_preset("Features of the first level", 1, 1024)
    downs: int | None = of_preset("Halvings, as many as the scene has room for", 5, 8)
    steps: int | None = of_preset("Steps", 1, 10_000_000)
    batch: int | None = of_preset("Crops of a step", 1, 4096)
    crop_px: int | None = of_preset("Side of a crop", 16, 4096)
    learning_rate: float | None = of_preset("Of Adam", 1e-8, 1.0)
    l1_weight: float = hyperparameter(100.0, "Weight of the mean absolute error beside the judge's.", 0.0, 1e6)
    whole_share: float = hyperparameter(0.2, "Share of crops that are hidden whole.", 0.0, 1.0)

    @property
    def plan(self) -> Plan:
        """The preset with what was named in its place; weights of others are not trained."""
        plan = with_named(PRESETS[self.preset], self)
        return replace(plan, steps=0) if self.weights else plan
