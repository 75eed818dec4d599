"""The settings of a comparison as the body of a request, and what it may cost."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api.process.parameters import Whole
from seq2seq.methods import METHODS
from seq2seq.methods.linear import INFO as LINEAR_INFO
from seq2seq.processes import GAP_KINDS, LONGEST_MINUTES, MOST_SEEDS, SHORTEST_MINUTES, ComparisonRequest
from worker.settings import Settings

_ALL = "all"
_DEFAULTS = ComparisonRequest()
_Method: Any = Literal[tuple(info.name for info in METHODS)]
_Gap: Any = Literal[GAP_KINDS]


def _none_for_all(given: Any) -> Any:
    """`"all"` is what is compared where nothing is said."""
    return None if given == _ALL else given


def _list_schema(schema: dict[str, Any], default: Any) -> None:
    """A list of names, or `all`."""
    lists = [kind for kind in schema.pop("anyOf") if kind.get("type") == "array"]
    schema["anyOf"] = [*lists, {"type": "string", "enum": [_ALL]}]
    schema["default"] = default


def _methods_schema(schema: dict[str, Any]) -> None:
    _list_schema(schema, _ALL)


def _gaps_schema(schema: dict[str, Any]) -> None:
    _list_schema(schema, list(GAP_KINDS))


class ComparisonParameters(BaseModel):
    """Settings of a comparison. Strict: "5" is no number."""

    model_config = ConfigDict(extra="forbid", strict=True)

    methods: Annotated[list[_Method] | None, Field(min_length=1, max_length=100), BeforeValidator(_none_for_all)] = (
        Field(
            default=None,
            description="What is compared: names of methods, or all. Linear interpolation is always among them.",
            json_schema_extra=_methods_schema,
        )
    )
    gaps: Annotated[list[_Gap] | None, Field(min_length=1, max_length=100), BeforeValidator(_none_for_all)] = Field(
        default=None,
        description="What is hidden. cloud: cloud shapes; date: whole dates; run: several in a row.",
        json_schema_extra=_gaps_schema,
    )
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS), Whole] = Field(
        default=_DEFAULTS.seeds, description="So often, each time other pixels."
    )
    max_minutes: Annotated[float, Field(ge=SHORTEST_MINUTES, le=LONGEST_MINUTES)] = Field(
        default=_DEFAULTS.max_minutes, description="Of each method on each case."
    )


def comparison_named(given: ComparisonParameters) -> dict[str, Any]:
    """What the request names, each name once; None: the default."""
    named = {name: getattr(given, name) for name in sorted(given.model_fields_set) if name in _NAMES}
    return {name: list(dict.fromkeys(value)) if isinstance(value, list) else value for name, value in named.items()}


_NAMES = frozenset(ComparisonParameters.model_fields)


def comparison_estimate(params: dict[str, Any], limits: Settings) -> dict[str, Any]:
    """What the job may take at most: methods by gaps by seeds by their minutes."""
    asked = ComparisonRequest.from_dict(params)
    methods = len(METHODS) if asked.methods is None else len({*asked.methods, LINEAR_INFO.name})
    cases = len(asked.gaps) * asked.seeds
    size = f"{methods} method{'s' * (methods > 1)} on {cases} case{'s' * (cases > 1)}"
    return {
        "seconds": asked.longest_s(methods),
        "detail": f"At most: {size}, {asked.max_minutes:g} minutes each; most methods take far less. A job that takes "
        "longer than `limits` allows is ended without a table.",
        "limits": {"seconds": limits.max_run_s, "pixels_dates": limits.max_pixels_dates},
    }
