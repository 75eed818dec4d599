"""What of DSen2-CR may be varied. The published width, depth and rate are a preset; a sequence has a smaller one."""

from dataclasses import dataclass, replace
from typing import Literal

from seq2seq.methods.presets import REMEMBERED_BYTES, at_once, clouds_of_training, of_preset, with_named
from seq2seq.settings import hyperparameter, setting


@dataclass(frozen=True)
class Plan:
    """A network and how it is fitted, all numbers set."""

    width: int
    blocks: int
    steps: int
    batch: int
    crop_px: int
    learning_rate: float

    def crops_at_once(self, crop_px: float, memory: float | None = None) -> int:
        """Of a batch, as many crops of so many pixels as keep what a step remembers within `memory` bytes.

        None: `REMEMBERED_BYTES`.
        """
        memory = REMEMBERED_BYTES if memory is None else memory
        return at_once(self.batch, self.remembered_bytes(crop_px), memory)

    def remembered_bytes(self, crop_px: float) -> float:
        """By a step, of one crop: three images of each block, a few around them."""
        return 4 * self.width * (3 * self.blocks + 4) * crop_px


# A network of 18.9 million parameters needs a data set and a GPU. What one sequence can teach in minutes on two cores
# fits a smaller one, which then needs a higher rate than the published 7e-5. The published schedule, 8 passes over
# SEN12MS-CR, has no counterpart on one sequence: the steps of `paper` are ours.
PRESETS = {
    "sequence": Plan(width=48, blocks=6, steps=400, batch=4, crop_px=64, learning_rate=1e-3),
    "paper": Plan(width=256, blocks=16, steps=2000, batch=16, crop_px=128, learning_rate=7e-5),
}


@dataclass(frozen=True)
class Dsen2CrSettings:
    """Loss, radar, pairs to learn from, weights; and the network with its schedule, where not the preset's."""

    preset: Literal["sequence", "paper"] = setting(
        "sequence", about="Network and schedule: of minutes for one sequence, or the published ones, for a GPU."
    )
    loss: Literal["carl", "l1"] = setting(
        "carl",
        about="The paper's cloud-adaptive regularized loss, or mean absolute error; they differ for pairs of dates.",
    )
    sar: Literal["auto", "on", "off"] = setting("auto", about="Whether it sees Sentinel-1; auto: where there is any.")
    pairs: Literal["pasted", "dates"] = setting(
        "pasted",
        about="It learns from dates with clouds pasted on clear pixels, or from cloudy dates and nearest clear values.",
    )
    weights: str | None = setting(
        None,
        about="Trained weights, .safetensors or the authors' .hdf5; nothing is learnt then, unless steps are named.",
        metavar="FILE",
        local=True,
    )
    clouds: Literal["shown", "hidden"] = clouds_of_training()
    width: int | None = of_preset("Features of a layer", 1, 4096)
    blocks: int | None = of_preset("Residual blocks", 1, 256)
    steps: int | None = of_preset("Steps", 1, 10_000_000)
    batch: int | None = of_preset("Crops of a step", 1, 4096)
    crop_px: int | None = of_preset("Side of a crop", 1, 4096)
    learning_rate: float | None = of_preset("Of Nadam", 1e-8, 1.0)
    whole_share: float = hyperparameter(0.2, "Share of crops that are hidden whole.", 0.0, 1.0)
    target_weight: float = hyperparameter(1.0, "Of CARL: the target's term beside the cloud-adaptive one.", 0.0, 1e3)

    @property
    def plan(self) -> Plan:
        """The preset with what was named in its place; weights of others are of the paper's size, their own decides."""
        preset = PRESETS["paper" if self.weights else self.preset]
        return with_named(replace(preset, steps=0) if self.weights else preset, self)
