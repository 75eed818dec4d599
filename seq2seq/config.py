"""What a reconstruction is asked to do: frozen values, each default with its reason. Nothing here is of deployment."""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from seq2seq.errors import ConfigError

# Least and greatest value of each number, both allowed.
RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "max_minutes": (0.1, 7 * 24 * 60),
    "s1_max_days": (0, 366),
    "cloud_buffer_px": (0, 100),
    "perceptual_weight": (0.0, 1e3),
    "schedule_factor": (1e-6, 100.0),
    "feather_px": (0, 64),
    "tile_px": (32, 8192),
    "overlap_px": (0, 512),
    "max_memory_gb": (0.5, 4096.0),
}


@dataclass(frozen=True)
class ReconstructionConfig:
    """The science settings of one reconstruction. Raises `ConfigError` with the value and its range.

    The same values are the CLI's options, the `--config` file's keys and the body of an API request.
    """

    # `internal`: the default, measured in benchmarks/METHOD.md. `paper`: Ebel et al. 2021, as published.
    recipe: Literal["internal", "paper"] = "internal"
    seed: int = 0
    # `auto`: CUDA, then MPS, then CPU.
    device: str = "auto"
    # Wall-clock budget of all phases; the schedule shrinks to fit. None: the recipe's own schedule.
    max_minutes: float | None = None

    # -- reading
    # An S1 acquisition further away than this says little about the date; Sentinel-1 revisits in 6 to 12 days.
    s1_max_days: int = 12
    s1_units: Literal["auto", "db", "linear"] = "auto"
    # Products have stored reflectance 1000 DN too high since processing baseline 04.00, and copies may or may not.
    # `auto`: by name, metadata and values of each date; `tags`: as the files state; else DN to add on all dates.
    s2_offset: Literal["auto", "tags", "0", "-1000"] = "auto"
    # Mask source. `auto`: the user's own (MASK, else SCL), else s2cloudless where its ten bands are there, else rules.
    cloud_detector: Literal["auto", "user", "s2cloudless", "rules"] = "auto"
    # None: 0 px for the user's own mask (it is theirs), 3 px for a detected one (detectors miss thin rims).
    cloud_buffer_px: int | None = None

    # -- perceptual loss (VGG16 relu1_2, relu2_2, relu3_3)
    perceptual: Literal["auto", "vgg16", "off"] = "auto"
    perceptual_weight: float = 0.01  # the paper's, section 2.3
    vgg16_weights: str | None = None
    false_colour: bool = False

    # -- recipe `paper` only
    # 1 = the published schedule (20 passes x 100 iterations for each window of 5 dates).
    schedule_factor: float = 1.0
    paper_input: Literal["s1", "noise"] = "s1"

    # -- output
    full_prediction: bool = False
    feather_px: int = 0

    # -- large scenes
    tile_px: int | None = None  # None: as large as max_memory_gb allows
    overlap_px: int = 32
    max_memory_gb: float = 8.0

    def __post_init__(self) -> None:
        _check_choice("recipe", self.recipe, ("internal", "paper"))
        _check_choice("s1_units", self.s1_units, ("auto", "db", "linear"))
        _check_choice("s2_offset", self.s2_offset, ("auto", "tags", "0", "-1000"))
        _check_choice("cloud_detector", self.cloud_detector, ("auto", "user", "s2cloudless", "rules"))
        _check_choice("perceptual", self.perceptual, ("auto", "vgg16", "off"))
        _check_choice("paper_input", self.paper_input, ("s1", "noise"))
        for name, (low, high) in RANGES.items():
            _check_range(name, getattr(self, name), low, high)
        if self.tile_px is not None and self.overlap_px * 2 > self.tile_px:
            raise ConfigError(f"overlap_px {self.overlap_px} is more than half of tile_px {self.tile_px}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ReconstructionConfig":
        """Raises `ConfigError` naming every unknown key."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        return cls(**values)

    def replace(self, **changes: Any) -> "ReconstructionConfig":
        """A copy with some values changed, checked again."""
        return replace(self, **changes)


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}, must be one of {', '.join(allowed)}")


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{name} is {value!r}, must be a number from {low} to {high}")
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value}, must be from {low} to {high}")
