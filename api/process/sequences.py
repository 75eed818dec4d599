"""The sequence that a job is about, as the body of a request names it: an upload, an address, an area, or a sample."""

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, WrapValidator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from seq2seq.errors import ConfigError
from seq2seq.fetching.extent import MAX_PIXELS, Box, Period, box_of, parse_period
from seq2seq.samples import SAMPLES

_LONGEST_URL = 2000
_ID = "5d8b1c0e-7f3a-4c55-9a39-0d6c2f1a7b11"
_GSD_M = 10.0
_DEGREE_M = 111_320.0
# Sentinel-2 sees a place every five days; since the second satellite, and twice where swaths overlap.
_DAYS_BETWEEN = 5
_BOX = {
    "type": "array",
    "items": {"type": "number", "minimum": -180, "maximum": 180},
    "minItems": 4,
    "maxItems": 4,
    "description": "West, south, east, north in degrees.",
}
_GEOJSON = {"type": "object", "minProperties": 2, "description": "GeoJSON (RFC 7946); the box around it is taken."}


class Asked(BaseModel):
    """What we are asked: nothing is guessed, nothing unknown is overlooked."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Reference(Asked):
    """An upload by the address that it was given, `/uploads/ID`; or a file or STAC elsewhere, where the operator has
    allowed it: an archive, a NetCDF or GeoTIFF, an Item, ItemCollection or Collection."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Reference")

    href: str = Field(
        max_length=_LONGEST_URL,
        examples=[f"/uploads/{_ID}", "https://data.example.org/fields.zip", "s3://bucket/fields.nc"],
        json_schema_extra={"pattern": "^(/uploads/[A-Za-z0-9-]{1,64}|(https?|s3)://[!-~]+)$"},
    )
    type: str | None = Field(default=None, max_length=100)
    rel: str | None = Field(default=None, max_length=100)
    title: str | None = Field(default=None, max_length=200)


def _bounds(given: Any) -> tuple[float, float, float, float]:
    """Of a box or GeoJSON."""
    try:
        if isinstance(given, dict):
            return box_of(given).bounds
        if isinstance(given, list) and len(given) == 4 and all(_is_number(value) for value in given):
            return Box(*map(float, given)).bounds
    except (ConfigError, OverflowError, RecursionError) as error:
        raise PydanticCustomError("area", "{why}", {"why": str(error).removeprefix("AREA: ")}) from None
    raise PydanticCustomError("area", "must be [west, south, east, north] in degrees, or a GeoJSON object")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _checked_dates(given: str) -> str:
    try:
        return str(parse_period(given))
    except ConfigError as error:
        raise PydanticCustomError("dates", "{why}", {"why": str(error)}) from None


class Area(Asked):
    """Sentinel-2, and Sentinel-1 where the catalogue has it, of an area and a period; the worker fetches them, where
    the operator has allowed the catalogue."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        title="Area",
        json_schema_extra={
            "examples": [
                {"area": [4.6, 50.6, 4.63, 50.62], "dates": "2021-05-01/2021-10-31", "catalog": "planetary-computer"}
            ]
        },
    )

    area: Annotated[
        tuple[float, float, float, float], BeforeValidator(_bounds), WithJsonSchema({"anyOf": [_BOX, _GEOJSON]})
    ]
    dates: Annotated[
        str,
        Field(pattern=r"^\d{4}-\d{2}-\d{2}(/\d{4}-\d{2}-\d{2})?$", description="FIRST/LAST, both included."),
        AfterValidator(_checked_dates),
    ]
    catalog: Annotated[
        str | SkipJsonSchema[None],
        Field(
            default=None,
            max_length=_LONGEST_URL,
            description="planetary-computer, earth-search, cdse or the address of a STAC API; by default the first "
            "that the operator has allowed.",
        ),
    ]

    @property
    def box(self) -> Box:
        """The box around the area."""
        return Box(*self.area)

    @property
    def period(self) -> Period:
        """The days."""
        return parse_period(self.dates)


if TYPE_CHECKING:
    SampleName = str
else:
    SampleName = Literal[tuple(SAMPLES)]


class Sample(Asked):
    """A small sequence that the worker simulates, for who has no data at hand: no upload and no network is needed."""

    model_config = ConfigDict(
        extra="forbid", strict=True, title="Sample", json_schema_extra={"examples": [{"sample": "fields"}]}
    )

    sample: SampleName = Field(description=" ".join(f"{each.name}: {each.title}" for each in SAMPLES.values()))


Named = Reference | Area | Sample
# By what is named, so that what is wrong is named by its place.
_KINDS: tuple[tuple[frozenset[str], type[Named]], ...] = (
    (frozenset({"sample"}), Sample),
    (frozenset({"area", "dates", "catalog"}), Area),
)


def _by_kind(given: Any, _: Any) -> Any:
    if given is None:
        return None
    names = set(given) if isinstance(given, dict) else set()
    kind = next((kind for members, kind in _KINDS if members & names), Reference)
    return kind.model_validate(given)


Sequence = Annotated[Named | SkipJsonSchema[None], WrapValidator(_by_kind)]


def expected_shape(area: Area) -> tuple[int, int, int]:
    """About how many dates of Sentinel-2, rows and columns an area has: what can be known before a catalogue is asked.

    Raises ValueError for more pixels than are fetched.
    """
    box = area.box
    width_m = (box.east - box.west) * _DEGREE_M * math.cos(math.radians((box.south + box.north) / 2))
    height, width = (max(1, round(side / _GSD_M)) for side in ((box.north - box.south) * _DEGREE_M, width_m))
    # A tenth for what is only about right here.
    if height * width > 1.1 * MAX_PIXELS:
        raise ValueError(
            f"has about {width:,} x {height:,} px of {_GSD_M:g} m, at most {MAX_PIXELS:,} are fetched; give a smaller "
            "area"
        )
    days = (area.period.last - area.period.first).days + 1
    return max(1, days // _DAYS_BETWEEN), height, width
