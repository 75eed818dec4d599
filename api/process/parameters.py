"""The settings of a reconstruction as the body of a request, made from their declarations."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationInfo, create_model
from pydantic.json_schema import SkipJsonSchema

from seq2seq.config import SETTINGS, ReconstructionConfig
from seq2seq.earlier_names import METHOD, OF_METHOD, RECIPE, RECIPES, with_present_names
from seq2seq.methods import METHODS, find_method
from seq2seq.methods.base import MethodInfo
from seq2seq.settings import DAY_FORM, DAY_PATTERN, Setting, is_day, settings_of

METHOD_SETTINGS = "method_settings"  # declared by each method
_NOTHING_CHOSEN = "Chosen by the service."
# Names with commas: what there is to name is far shorter.
_LONGEST_TEXT = 1000
_HIDDEN: Any = SkipJsonSchema()  # type: ignore[type-arg]


def _whole(value: Any) -> Any:
    """JSON's 5.0 is 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)


def _day(value: str) -> str:
    if not is_day(value):
        raise ValueError(f"is no day; write it as {DAY_FORM}")
    return value


_Day = Annotated[str, Field(pattern=DAY_PATTERN, json_schema_extra={"format": "date"}), AfterValidator(_day)]


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
    if setting.kind is tuple:
        days = Field(max_length=None if setting.high is None else int(setting.high))
        return Annotated[list[_Day], days], Field(default=list(setting.default), description=about)
    free_text = setting.kind is str and not setting.choices and not setting.local and setting.name != "method"
    limits = Field(ge=setting.low, le=setting.high, max_length=_LONGEST_TEXT if free_text else None)
    return Annotated[kind, limits, *whole], Field(default=setting.default, description=about)


def _model(info: MethodInfo) -> Any:
    """The settings of one method as a model."""
    fields: dict[str, Any] = {each.name: _field(each) for each in settings_of(info.settings)}
    config = ConfigDict(extra="forbid", strict=True, title=f"Settings of {info.name}")
    return create_model(info.settings.__name__, __config__=config, **fields)


_MODELS = {info.name: _model(info) for info in METHODS}


def _schema_of_methods(schema: dict[str, Any]) -> None:
    """Whatever one of the methods takes; of which one is checked when the request is read."""
    schema["anyOf"] = [model.model_json_schema() for model in _MODELS.values()]
    schema.pop("additionalProperties", None)
    schema.pop("type", None)


def _checked_by_method(given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """What was given, as the method takes it: 5.0 for 5 is 5. A wrong member is named by its place."""
    method = info.data.get("method") or ReconstructionConfig.method
    settings = _MODELS[RECIPES.get(info.data.get(RECIPE) or "", method)].model_validate(given)
    return {name: getattr(settings, name) for name in given}


def _fields() -> dict[str, Any]:
    of_method: Any = Field(
        default={},
        description="Settings of the method alone; what is left out keeps its default.",
        json_schema_extra=_schema_of_methods,
    )
    return {
        **_earlier_fields(),
        **{each.name: _field(each) for each in SETTINGS},
        METHOD_SETTINGS: (Annotated[dict[str, Any], AfterValidator(_checked_by_method)], of_method),
    }


def _earlier_fields() -> dict[str, Any]:
    """Names of one more release, in no schema."""
    recipe: Any = Annotated[Literal[tuple(RECIPES)] | None, _HIDDEN]
    declared = {each.name: each for each in settings_of(find_method(METHOD).settings)}
    kinds = {name: _field(declared[now])[0] for name, now in OF_METHOD.items()}
    return {
        RECIPE: (recipe, None),
        **{name: (Annotated[k | None, _HIDDEN], None) for name, k in kinds.items()},
    }


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
