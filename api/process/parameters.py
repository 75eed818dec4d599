"""The settings of a reconstruction as the body of a request, made from their declarations."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, create_model
from pydantic.json_schema import SkipJsonSchema

from seq2seq.config import EARLIER_OF_METHOD, SETTINGS, ReconstructionConfig, with_present_names
from seq2seq.methods import METHODS
from seq2seq.settings import Setting, settings_of

# Settings of one method, declared by each.
OF_METHOD = "method_settings"
_NOTHING_CHOSEN = "Chosen by the service."


def _whole(value: Any) -> Any:
    """JSON's 5.0 is 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)


def _field(setting: Setting) -> tuple[Any, Any]:
    """A field of a model: type, range, default and sentence of the setting."""
    kind: Any = Literal[setting.choices] if setting.choices else setting.kind
    kind = kind | None if setting.optional else kind
    about = setting.about
    if setting.local:
        # A service chooses its devices, and opens no file that a user names: only the default is allowed.
        kind, about = (None if setting.default is None else Literal[setting.default]), _NOTHING_CHOSEN
    if setting.name == "method":
        kind = Literal[tuple(info.name for info in METHODS)]
    whole = [Whole] if setting.kind is int else []
    limits = Field(ge=setting.low, le=setting.high)
    return Annotated[kind, limits, *whole], Field(default=setting.default, description=about)


def _schema_of_method(schema: dict[str, Any]) -> None:
    """Whatever one of the methods takes; which one is asked is checked when the request is read."""
    schema["anyOf"] = [_model(info.settings, info.title).model_json_schema() for info in METHODS]
    schema.pop("additionalProperties", None)
    schema.pop("type", None)


def _model(kind: type, title: str) -> Any:
    fields: dict[str, Any] = {each.name: _field(each) for each in settings_of(kind)}
    config = ConfigDict(extra="forbid", strict=True, title=f"Settings of {title}")
    return create_model(kind.__name__, __config__=config, **fields)


_Hidden = Annotated[Any, SkipJsonSchema()]


def _fields() -> dict[str, Any]:
    of_method: Any = Field(
        default={},
        description="Settings of the method alone; what is left out keeps its default.",
        json_schema_extra=_schema_of_method,
    )
    earlier = dict.fromkeys(("recipe", *EARLIER_OF_METHOD), (_Hidden, None))
    return {**{each.name: _field(each) for each in SETTINGS}, OF_METHOD: (dict[str, Any], of_method), **earlier}


_Settings: Any = create_model("_Settings", **_fields())


class Parameters(_Settings):  # type: ignore[misc]
    """Settings of a reconstruction. Strict: "5" is no number, 1 is no truth value."""

    model_config = ConfigDict(extra="forbid", strict=True)


def settings_named(given: Parameters) -> dict[str, Any]:
    """Those that the request names, by their present names. Raises `ConfigError` where they contradict each other."""
    named = {name: getattr(given, name) for name in sorted(given.model_fields_set) if name in Parameters.model_fields}
    values = with_present_names(named)
    config = ReconstructionConfig.from_dict(values)
    assert all(getattr(config, each.name) == each.default for each in SETTINGS if each.local), config
    return values
