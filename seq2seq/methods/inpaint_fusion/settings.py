"""What of inpainting and fusion may be varied."""

from dataclasses import dataclass
from typing import Any, Literal

from seq2seq.methods.dsen2_cr.settings import Plan
from seq2seq.settings import hyperparameter, setting

_SEQUENCE = Plan(width=48, blocks=4, steps=300, batch=4, crop_px=64, learning_rate=1e-3)


def _of_plan(about: str, value: float, low: float, high: float) -> Any:
    return hyperparameter(value, f"{about}.", low, high)


@dataclass(frozen=True)
class InpaintFusionSettings:
    """The inpainter, radar, weights; and the fusing network with its schedule."""

    diffusion: str | None = setting(
        None,
        about="Folder, or name in the hub's cache, of a diffusion model for inpainting; else it is biharmonic.",
        metavar="MODEL",
        local=True,
    )
    diffusion_steps: int = setting(
        25, about="Denoising steps of the diffusion model, for three bands of a date.", low=1, high=1000
    )
    sar: Literal["auto", "on", "off"] = setting("auto", about="Whether it sees Sentinel-1; auto: where there is any.")
    weights: str | None = setting(
        None,
        about="File with trained weights of the fusing network, .safetensors; nothing is learnt then.",
        metavar="FILE",
        local=True,
    )
    width: int = _of_plan("Features of a layer", _SEQUENCE.width, 1, 4096)
    blocks: int = _of_plan("Residual blocks", _SEQUENCE.blocks, 1, 256)
    steps: int = _of_plan("Steps", _SEQUENCE.steps, 1, 10_000_000)
    batch: int = _of_plan("Crops of a step", _SEQUENCE.batch, 1, 4096)
    crop_px: int = _of_plan("Side of a crop", _SEQUENCE.crop_px, 1, 4096)
    learning_rate: float = _of_plan("Of Nadam", _SEQUENCE.learning_rate, 1e-8, 1.0)
    whole_share: float = hyperparameter(0.2, "Share of dates that are hidden whole to learn from.", 0.0, 1.0)
    draws: int = hyperparameter(2, "Times that each date is hidden and inpainted to learn from.", 1, 100)
    target_weight: float = hyperparameter(1.0, "Of CARL: the target's term beside the cloud-adaptive one.", 0.0, 1e3)

    @property
    def plan(self) -> Plan:
        """Network and schedule."""
        steps = 0 if self.weights else self.steps
        return Plan(self.width, self.blocks, steps, self.batch, self.crop_px, self.learning_rate)
