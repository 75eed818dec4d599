"""What a reconstruction is asked to do: frozen values, each default with its reason. Nothing here is of deployment."""

import math
from dataclasses import asdict, dataclass, fields, replace
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from seq2seq.errors import ConfigError
from seq2seq.wording import nearest, no_number, not_one_of

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
        for field in fields(self):
            _check(field.name, getattr(self, field.name), field.type)
        if self.tile_px is not None and self.overlap_px * 2 > self.tile_px:
            raise ConfigError(f"overlap_px {self.overlap_px} is more than half of tile_px {self.tile_px}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ReconstructionConfig":
        """Settings as JSON or TOML have them, where 5.0 is 5. Raises `ConfigError` naming every unknown key."""
        kinds = {field.name: field.type for field in fields(cls)}
        unknown = sorted(set(values) - set(kinds))
        if unknown:
            near = nearest(unknown[0], kinds) if len(unknown) == 1 else ""
            raise ConfigError(f"unknown settings {', '.join(unknown)}; known are {', '.join(sorted(kinds))}{near}")
        return cls(**{name: _whole(value) if int in _kinds(kinds[name]) else value for name, value in values.items()})

    def replace(self, **changes: Any) -> "ReconstructionConfig":
        """A copy with some values changed, checked again."""
        return replace(self, **changes)


def _kinds(hint: Any) -> tuple[Any, ...]:
    """`int | None` -> (int, NoneType), `int` -> (int,)."""
    return get_args(hint) if isinstance(hint, UnionType) else (hint,)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check(name: str, value: Any, hint: Any) -> None:
    """Raises `ConfigError` where `value` is not of the setting's type, one of its choices, or in its range."""
    kinds = _kinds(hint)
    if value is None and NoneType in kinds:
        return
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ConfigError(not_one_of(name, value, get_args(hint)))
    elif bool in kinds:
        if not isinstance(value, bool):
            raise ConfigError(f"{name} is {value!r}, must be true or false")
    elif str in kinds:
        if not isinstance(value, str):
            raise ConfigError(f"{name} is {value!r}, must be text")
    else:
        _check_number(name, value, whole=int in kinds)


def _check_number(name: str, value: Any, *, whole: bool) -> None:
    low, high = RANGES[name]
    allowed: Any = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, allowed) or not math.isfinite(value):
        raise ConfigError(no_number(name, value, low, high, whole=whole))
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value}, must be from {low} to {high}")
