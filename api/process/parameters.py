"""The settings of a reconstruction as the body of a request: types, ranges and defaults are those of the engine."""

from dataclasses import Field as DataclassField
from dataclasses import fields
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BeforeValidator, ConfigDict, Field, create_model

from seq2seq.config import RANGES, ReconstructionConfig

# One sentence for each setting, for people who fill a form.
ABOUT = {
    "recipe": "internal: regressors, then a network guided by radar. paper: Ebel et al. 2021 as published, for hours.",
    "seed": "The same seed on the same kind of machine gives the same result.",
    "device": "Chosen by the service.",
    "max_minutes": "Be done in about this time, at some cost in accuracy.",
    "s1_max_days": "Use a Sentinel-1 acquisition at most this many days from a Sentinel-2 date.",
    "s1_units": "How Sentinel-1 is stored; auto tells from the values.",
    "s2_offset": "DN to add to Sentinel-2: -1000 since baseline 04.00; auto tells by name, metadata and values.",
    "cloud_detector": "Where cloud masks come from; auto: MASK/, else SCL/, else s2cloudless, else rules.",
    "cloud_buffer_px": "Grow clouds by so many pixels; by default 0 for MASK/, 3 for detected ones.",
    "perceptual": "VGG16 perceptual loss; auto: where the server has its weights.",
    "perceptual_weight": "Weight of the perceptual loss.",
    "vgg16_weights": "Chosen by the service.",
    "false_colour": "Perceptual loss on false-colour images too.",
    "schedule_factor": "Recipe paper: 1 is its published schedule, 0.1 a tenth of it.",
    "paper_input": "Recipe paper: what the network sees.",
    "full_prediction": "The prediction everywhere, also where the input was clear.",
    "feather_px": "Soften the seam between observed and restored pixels.",
    "tile_px": "Size of the tiles of a large scene; by default what fits into memory.",
    "overlap_px": "Pixels that neighbouring tiles share.",
    "max_memory_gb": "Stay below this; never more than the worker has.",
}
# A service chooses its devices, and opens no file that a user names: only the defaults are allowed.
_FIXED: dict[str, Any] = {"device": Literal["auto"], "vgg16_weights": None}


def _whole(value: Any) -> Any:
    """JSON's 5.0 is 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)


def _field(setting: DataclassField[Any], hint: Any) -> tuple[Any, Any]:
    low, high = RANGES.get(setting.name, (None, None))
    kind = _FIXED.get(setting.name, hint)
    whole = [Whole] if hint in (int, int | None) else []
    about = Field(default=setting.default, description=ABOUT[setting.name])
    return Annotated[kind, Field(ge=low, le=high), *whole], about


def _fields() -> dict[str, Any]:
    hints = get_type_hints(ReconstructionConfig)
    return {setting.name: _field(setting, hints[setting.name]) for setting in fields(ReconstructionConfig)}


_Settings: Any = create_model("_Settings", **_fields())


class Parameters(_Settings):  # type: ignore[misc]
    """Settings of a reconstruction. Strict: "5" is no number, 1 is no truth value."""

    model_config = ConfigDict(extra="forbid", strict=True)


def settings_of(given: Parameters) -> dict[str, Any]:
    """Those that the request names. Raises `ConfigError` for values that contradict each other."""
    values = {name: getattr(given, name) for name in sorted(given.model_fields_set) if name in Parameters.model_fields}
    config = ReconstructionConfig.from_dict(values)
    assert config.device == "auto", config
    return values
