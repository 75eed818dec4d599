"""What of the sequence-to-point network may be varied. The published sizes are a preset; a sequence has others."""

from dataclasses import dataclass, replace
from typing import Literal

from seq2seq.methods.presets import REMEMBERED_BYTES, at_once, clouds_of_training, of_preset, with_named
from seq2seq.settings import hyperparameter, setting


@dataclass(frozen=True)
class Plan:
    """A network of a number of dates and how it is fitted, all numbers set.

    initial_std: of the normal distribution that weights begin with; None: He-uniform and alike. rotated: crops are
    rotated and flipped.
    """

    width: int
    blocks: int
    head_blocks: int
    steps: int
    batch: int
    crop_px: int
    learning_rate: float
    initial_std: float | None = None
    rotated: bool = True

    def samples_at_once(self, dates: int, crop_px: float, memory: float | None = None) -> int:
        """Of a batch, as many samples of so many pixels as keep what a step remembers within `memory` bytes.

        None: `REMEMBERED_BYTES`.
        """
        memory = REMEMBERED_BYTES if memory is None else memory
        return at_once(self.batch, self.remembered_bytes(dates, crop_px), memory)

    def remembered_bytes(self, dates: int, crop_px: float) -> float:
        """By a step, of one sample: three images of each 2-D block and date, padded and stacked volumes of the head."""
        return 4 * self.width * dates * (3 * self.blocks + 12 * self.head_blocks + 10) * crop_px


# The published network needs a data set and a GPU. What one sequence can teach in minutes on two cores fits a smaller
# one, at a higher rate. The published schedule, 200 passes over SEN12MS-CR-TS, has no counterpart on one sequence: the
# steps of `paper` are ours.
PRESETS = {
    "sequence": Plan(width=32, blocks=3, head_blocks=1, steps=400, batch=4, crop_px=48, learning_rate=1e-3),
    "paper": Plan(
        width=256,
        blocks=16,
        head_blocks=5,
        steps=2000,
        batch=1,
        crop_px=256,
        learning_rate=2e-4,
        initial_std=0.02,
        rotated=False,
    ),
}


@dataclass(frozen=True)
class Seq2PointSettings:
    """Variant, dates, radar, weights; and the network with its schedule, where not the preset's."""

    variant: Literal["corrected", "verbatim"] = setting(
        "corrected",
        about="corrected: any reflectance, told the date that is wanted and its radar; verbatim: as published, told "
        "neither, and its Tanh gives no reflectance above 0.2.",
    )
    preset: Literal["sequence", "paper"] = setting(
        "sequence", about="Network and schedule: of minutes for one sequence, or the published ones, for a GPU."
    )
    dates: int = setting(3, about="Other dates that a date is made from.", low=3, high=32)
    sar: Literal["auto", "on", "off"] = setting("auto", about="Whether it sees Sentinel-1; auto: where there is any.")
    weights: str | None = setting(
        None,
        about="File with trained weights, .safetensors; nothing is learnt then, unless steps are named.",
        metavar="FILE",
        local=True,
    )
    trunk_weights: str | None = setting(
        None,
        about="File with weights of DSen2-CR that a date's features begin with, .safetensors or the authors' .hdf5.",
        metavar="FILE",
        local=True,
    )
    clouds: Literal["shown", "hidden"] = clouds_of_training()
    width: int | None = of_preset("Features of a layer", 1, 4096)
    blocks: int | None = of_preset("Residual blocks of each date", 1, 256)
    head_blocks: int | None = of_preset("Residual blocks of all dates together", 0, 256)
    steps: int | None = of_preset("Steps", 1, 10_000_000)
    batch: int | None = of_preset("Samples of a step", 1, 4096)
    crop_px: int | None = of_preset("Side of a crop", 1, 4096)
    learning_rate: float | None = of_preset("Of Adam, in the first half of the steps", 1e-8, 1.0)
    l1_weight: float = hyperparameter(100.0, "Weight of the masked L1 loss.", 1e-6, 1e6)
    freeze_trunk_steps: int = hyperparameter(0, "First steps in which features of a date stay.", 0, 10_000_000)
    least_visible: float = hyperparameter(
        0.1, "Dates that show less than this share are taken when no others are left.", 0.0, 1.0
    )

    @property
    def verbatim(self) -> bool:
        """As published."""
        return self.variant == "verbatim"

    @property
    def plan(self) -> Plan:
        """The preset with what was named in its place; weights of others are of the paper's size, their own decides."""
        preset = PRESETS["paper" if self.weights else self.preset]
        return with_named(replace(preset, steps=0) if self.weights else preset, self)
