"""The settings of a reconstruction: frozen values, each default with its reason. Nothing here is of deployment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from seq2seq.earlier_names import with_present_names
from seq2seq.errors import ConfigError
from seq2seq.methods import METHODS, find_method
from seq2seq.methods.base import MethodInfo
from seq2seq.products.choosing import Outputs, formats, optional_names
from seq2seq.settings import Setting, check_known, check_settings, from_mapping, setting, settings_of
from seq2seq.validation.settings import ValidationSettings
from seq2seq.wording import not_one_of

READING, DATES, METHOD, OUTPUT, LARGE = "Reading", "Dates", "Method", "Output", "Large scenes"
# Of acquisitions and requested days together: a sequence is whole in memory, tile by tile.
MOST_DATES = 1000
# What can say where clouds are: masks that come with the images, and detectors.
DetectorName = Literal["s2cloudless", "rules", "score", "csmask"]
DETECTORS: tuple[DetectorName, ...] = ("s2cloudless", "rules", "score", "csmask")
CLOUD_SOURCES = ("user", "scl", *DETECTORS)
# Patches of pixels are looked for with a halo as wide as they may be long.
MOST_PATCH_PX = 500
# Settings by name within settings: of the method, and of the proof.
NESTED = ("method_settings", "validation_settings")
_METHOD_ABOUT = "How clouds are filled: " + ", ".join(info.name for info in METHODS) + "; see `decloud methods`."
_FORMAT_ABOUT = f"How images are stored: {', '.join(formats())}; or several of them, with commas."
_PRODUCTS_ABOUT = f"Spectral indices to write as well, with commas: {', '.join(optional_names())}."


@dataclass(frozen=True)
class ReconstructionConfig:
    """The science settings of one reconstruction. Raises `ConfigError` with the value and its range.

    The same values are the CLI's options, the `--config` file's keys and the body of an API request. method_settings:
    those of the method alone, by name, see `MethodInfo.settings`; what is left out keeps its default.
    validation_settings: of the proof, see `ValidationSettings`, for programs and files alone.
    """

    method: str = setting("guided", about=_METHOD_ABOUT, panel=METHOD, metavar="NAME")
    seed: int = setting(
        0, about="Same seed, same kind of machine, same result.", low=0, high=2**31 - 1, panel=METHOD, metavar="N"
    )
    device: str = setting(
        "auto", about="auto: CUDA, then MPS, then CPU; or cpu, cuda, cuda:1, mps.", panel=METHOD, metavar="NAME",
        local=True,
    )  # fmt: skip
    # Wall-clock budget of all phases; the schedule shrinks to fit. None: the method's own schedule.
    max_minutes: float | None = setting(
        None, about="Be done in about this time, at some cost in accuracy.", low=0.1, high=7 * 24 * 60, panel=METHOD,
        metavar="MIN",
    )  # fmt: skip

    # -- reading
    # An S1 acquisition further away than this is little evidence of the date; Sentinel-1 revisits in 6 to 12 days.
    s1_max_days: int = setting(
        12, about="Use a Sentinel-1 acquisition at most this many days from a Sentinel-2 date.", low=0, high=366,
        panel=READING, metavar="N",
    )  # fmt: skip
    s1_units: Literal["auto", "db", "linear"] = setting(
        "auto", about="How Sentinel-1 is stored; auto tells from the values.", panel=READING
    )
    # Products have stored reflectance 1000 DN too high since processing baseline 04.00, and copies may or may not.
    s2_offset: Literal["auto", "tags", "0", "-1000"] = setting(
        "auto", about="DN to add to Sentinel-2: auto tells by name, metadata and values; tags: as the files state.",
        panel=READING,
    )  # fmt: skip
    cloud_detector: Literal["auto", "user", "s2cloudless", "rules", "score", "csmask"] = setting(
        "auto", about="Where cloud masks come from; auto: MASK/, else SCL/, else s2cloudless, else rules.",
        panel=READING,
    )  # fmt: skip
    # None: 0 px for the user's own mask (it is theirs), 3 px for a detected one (detectors miss thin rims).
    cloud_buffer_px: int | None = setting(
        None, about="Grow clouds by so many pixels; by default 0 for MASK/, 3 for detected ones.", low=0, high=100,
        panel=READING, metavar="N",
    )  # fmt: skip

    # One source a date by default: a union of detectors is cloudier than any of them.
    cloud_also: str = setting(
        "", about=f"Sources whose clouds are added to it, with commas: {', '.join(CLOUD_SOURCES)}.", panel=READING,
        metavar="NAMES",
    )  # fmt: skip
    cloud_shadows: Literal["sun", "near"] = setting(
        "near", about="Shadows: what is dark near detected clouds; sun: and what is dim where the sun casts them.",
        panel=READING,
    )  # fmt: skip
    cloud_min_px: int = setting(
        0, about="Clouds of fewer pixels are none.", low=0, high=MOST_PATCH_PX, panel=READING, metavar="N"
    )
    cloud_holes_px: int = setting(
        0, about="Clear holes of fewer pixels are masked as well.", low=0, high=MOST_PATCH_PX, panel=READING,
        metavar="N",
    )  # fmt: skip

    # -- dates beside those of the acquisitions, within the series
    every_days: int | None = setting(
        None, about="Also a result every so many days from the first acquisition on: 5d, 2w.", low=1, high=366,
        panel=DATES, metavar="DAYS", flag="--every", typed="interval",
    )  # fmt: skip
    dates: tuple[str, ...] = setting(
        (), about="Also a result on each of these days.", high=MOST_DATES, panel=DATES, metavar="FILE", typed="file"
    )
    at_s1: bool = setting(False, about="Also a result on each day of Sentinel-1 within the series.", panel=DATES)
    only_requested: bool = setting(
        False, about="Write the days asked for alone: a regular series, without acquisitions between.", panel=DATES
    )

    # -- perceptual loss (VGG16 relu1_2, relu2_2, relu3_3)
    perceptual: Literal["auto", "vgg16", "off"] = setting(
        "auto", about="VGG16 perceptual loss; auto: where its weights are installed.", panel=METHOD
    )
    # Ebel et al. 2021, section 2.3
    perceptual_weight: float = setting(
        0.01, about="Weight of the perceptual loss.", low=0.0, high=1e3, panel=METHOD, metavar="X"
    )
    vgg16_weights: str | None = setting(
        None, about="File with torchvision's VGG16 weights.", panel=METHOD, metavar="FILE", local=True
    )
    false_colour: bool = setting(False, about="Perceptual loss on false-colour images too.", panel=METHOD)

    # -- output
    full_prediction: bool = setting(
        False, about="The prediction everywhere, also where the input was clear.", panel=OUTPUT
    )
    # Names, because several may be wanted of one run, and each is made of the same arrays.
    format: str = setting(
        "cog", about=_FORMAT_ABOUT, panel=OUTPUT, metavar="NAMES", written=True,
    )  # fmt: skip
    products: str = setting(
        "", about=_PRODUCTS_ABOUT, panel=OUTPUT, metavar="NAMES", written=True,
    )  # fmt: skip
    feather_px: int = setting(
        0, about="Soften the seam between observed and restored pixels.", low=0, high=64, panel=OUTPUT, metavar="N"
    )

    # -- large scenes
    tile_px: int | None = setting(
        None, about="Size of the tiles of a large scene; by default what fits into memory.", low=32, high=8192,
        panel=LARGE, metavar="N",
    )  # fmt: skip
    overlap_px: int = setting(
        32, about="Pixels that neighbouring tiles share.", low=0, high=512, panel=LARGE, metavar="N"
    )
    max_memory_gb: float = setting(8.0, about="Stay below this.", low=0.5, high=4096.0, panel=LARGE, metavar="GB")

    method_settings: Mapping[str, Any] = field(default_factory=dict)
    validation_settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_settings(self)
        _ = self.resolved_settings, self.validation, self.outputs, self.added_clouds
        if self.tile_px is not None and self.overlap_px * 2 > self.tile_px:
            raise ConfigError(f"overlap_px {self.overlap_px} is more than half of tile_px {self.tile_px}")
        if self.only_requested and not self.asks_for_dates:
            raise ConfigError("only_requested is set and no day is asked for; name some by every_days, dates or at_s1")

    @property
    def asks_for_dates(self) -> bool:
        """Tells whether results are wanted on days beside the acquisitions'."""
        return self.every_days is not None or bool(self.dates) or self.at_s1

    @property
    def added_clouds(self) -> tuple[str, ...]:
        """The sources of `cloud_also`, in the order of `CLOUD_SOURCES`. Raises `ConfigError` for one that is none."""
        named = [name.strip() for name in self.cloud_also.split(",") if name.strip()]
        for name in named:
            if name not in CLOUD_SOURCES:
                raise ConfigError(not_one_of("cloud_also", name, CLOUD_SOURCES))
        return tuple(name for name in CLOUD_SOURCES if name in named)

    @property
    def added_detectors(self) -> tuple[DetectorName, ...]:
        """Those of them that look for clouds themselves."""
        return tuple(name for name in DETECTORS if name in self.added_clouds)

    @property
    def info(self) -> MethodInfo:
        """The method that was named."""
        return find_method(self.method)

    @property
    def resolved_settings(self) -> Any:
        """The method's settings, a value of `info.settings`. Raises `ConfigError`."""
        return _resolved(self.info.settings, self.method_settings, f"method {self.method}", "method_settings")

    @property
    def validation(self) -> ValidationSettings:
        """The protocol of the proof. Raises `ConfigError`."""
        settings = _resolved(ValidationSettings, self.validation_settings, "the proof", "validation_settings")
        assert isinstance(settings, ValidationSettings), settings
        return settings

    @property
    def outputs(self) -> Outputs:
        """What a run writes. Raises `ConfigError`."""
        return Outputs.of(self.format, self.products)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON values; the inverse of `from_dict`."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "dates": list(self.dates), **{name: dict(getattr(self, name)) for name in NESTED}}

    def recorded(self) -> dict[str, Any]:
        """Returns plain JSON values for a report: settings of the method that were left out have their defaults."""
        resolved = {"method_settings": self.resolved_settings, "validation_settings": self.validation}
        return {**self.to_dict(), **{name: asdict(settings) for name, settings in resolved.items()}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ReconstructionConfig":
        """Makes settings of what JSON or TOML have, where 5.0 is 5; earlier names are understood.

        Raises `ConfigError` naming every unknown key.
        """
        values = with_present_names(values)
        known = {each.name: each for each in SETTINGS}
        check_known(values, (*known, *NESTED))
        return cls(**{name: known[name].normal(value) if name in known else value for name, value in values.items()})

    def replace(self, **changes: Any) -> "ReconstructionConfig":
        """Returns a copy with some values changed, checked again."""
        return replace(self, **changes)


def _resolved(kind: type, given: Any, whose: str, name: str) -> Any:
    if not isinstance(given, Mapping):
        raise ConfigError(f"{name} is {given!r}, must hold settings of {whose} by name")
    settings: Any = from_mapping(kind, given, what=f"settings of {whose}")
    check_settings(settings)
    return settings


SETTINGS: tuple[Setting, ...] = settings_of(ReconstructionConfig)
