"""Settings, each declared once as the field of a frozen dataclass: its type, default, range and sentence.

    max_minutes: float | None = setting(None, about="Be done in about this time.", low=0.1, high=10080)

Whatever shows or checks settings is made from these declarations: options, TOML keys, JSON Schema, process inputs.
"""

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from seq2seq.errors import ConfigError
from seq2seq.wording import nearest, no_number, not_one_of

T = TypeVar("T")
METADATA = "setting"
DAY_FORM, DAY_PATTERN = "YYYY-MM-DD", r"^\d{4}-\d{2}-\d{2}$"


def setting(
    default: Any,
    *,
    about: str,
    low: float | None = None,
    high: float | None = None,
    panel: str = "Method",
    metavar: str | None = None,
    local: bool = False,
    advanced: bool = False,
    written: bool = False,
    flag: str | None = None,
    typed: Literal["interval", "file"] | None = None,
) -> Any:
    """Declares a field of a settings dataclass.

    about: one sentence for people who fill a form. low, high: both allowed; None: no limit; of a list of days, how
    many. panel: the heading that it stands under in help. flag: a shorter option for it on the command line. typed:
    what is typed there instead of the value, `5d` or a file that lists days. local: of this machine (a device, a
    file), so that no remote caller may choose it. advanced: for ablations, shown on request alone. written: it says
    which files are written, and changes no value in them.
    """
    facts = {
        "about": about, "low": low, "high": high, "panel": panel, "metavar": metavar, "local": local,
        "advanced": advanced, "written": written, "flag": flag, "typed": typed,
    }  # fmt: skip
    return field(default=default, metadata={METADATA: facts})


def hyperparameter(default: Any, about: str, low: float, high: float) -> Any:
    """Declares a number of a method's own, which is set for ablations and else left alone: an `advanced` setting."""
    return setting(default, about=about, low=low, high=high, panel="Advanced", advanced=True)


@dataclass(frozen=True)
class Setting:
    """One declared setting. kinds: the types it may have, NoneType among them where it may be left open."""

    name: str
    hint: Any
    default: Any
    about: str
    low: float | None
    high: float | None
    panel: str
    metavar: str | None
    local: bool
    advanced: bool
    written: bool
    flag: str | None = None
    typed: Literal["interval", "file"] | None = None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a Literal, () for anything else."""
        return next((get_args(kind) for kind in self._members if get_origin(kind) is Literal), ())

    @property
    def optional(self) -> bool:
        """True where None is a value of it."""
        return NoneType in self._members

    @property
    def kind(self) -> type:
        """bool, int, float, str, or tuple for a list of days; that of the choices where there are any."""
        if self.choices:
            return type(self.choices[0])
        kind = next(kind for kind in self._members if kind is not NoneType)
        return get_origin(kind) or kind  # type: ignore[no-any-return]

    @property
    def default_text(self) -> str:
        """The default as people write it."""
        if self.kind is tuple:
            return ", ".join(self.default) or "none"
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)

    @property
    def values_text(self) -> str:
        """The values that it may have, in words: `0 to 1`."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        if self.kind is tuple:
            return f"days as {DAY_FORM}, at most {self.high:g}" if self.high else f"days as {DAY_FORM}"
        if self.low is None or self.high is None:
            return "true, false" if self.kind is bool else "text"
        return f"{self.low:g} to {self.high:g}"

    def check(self, value: Any) -> None:
        """Raises `ConfigError` where `value` is not of its type, one of its choices, or in its range."""
        if value is None and self.optional:
            return
        if self.choices:
            if value not in self.choices or isinstance(value, bool):
                raise ConfigError(not_one_of(self.name, value, self.choices))
        elif self.kind is bool:
            if not isinstance(value, bool):
                raise ConfigError(f"{self.name} is {value!r}, must be true or false")
        elif self.kind is tuple:
            self._check_days(value)
        elif self.kind is str:
            if not isinstance(value, str):
                raise ConfigError(f"{self.name} is {value!r}, must be text")
        else:
            self._check_number(value)

    def normal(self, value: Any) -> Any:
        """Normalises `value` as JSON and TOML have it, where 5.0 is 5 and a list holds texts or TOML's own dates."""
        if self.kind is tuple and isinstance(value, list | tuple):
            return tuple(each.isoformat() if type(each) is datetime.date else each for each in value)
        whole = self.kind is int and isinstance(value, float) and value.is_integer()
        return int(value) if whole else value

    def parse(self, text: str) -> Any:
        """Reads the value that `text` names on a command line. Raises `ConfigError`."""
        if self.optional and text.lower() == "none":
            return None
        values: dict[type, Any] = {bool: _truth(text), int: _number(text), float: _number(text), str: text}
        values[tuple] = [part.strip() for part in text.split(",") if part.strip()]
        value = self.normal(values[self.kind])
        self.check(value)
        return value

    @property
    def _members(self) -> tuple[Any, ...]:
        return get_args(self.hint) if get_origin(self.hint) in (Union, UnionType) else (self.hint,)

    def _check_days(self, value: Any) -> None:
        if not isinstance(value, tuple):
            raise ConfigError(f"{self.name} is {value!r}, must be a list of days as {DAY_FORM}")
        if self.high is not None and len(value) > self.high:
            raise ConfigError(f"{self.name} holds {len(value)} days, at most {self.high:g} are possible")
        for day in value:
            if not is_day(day):
                raise ConfigError(f"{self.name} holds {day!r}, which is no day; write it as {DAY_FORM}")

    def _check_number(self, value: Any) -> None:
        whole = self.kind is int
        allowed: Any = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, allowed) or not math.isfinite(value):
            raise ConfigError(no_number(self.name, value, self.low, self.high, whole=whole))
        low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
        if not low <= value <= high:
            raise ConfigError(f"{self.name} is {value}, must be from {self.low} to {self.high}")


def settings_of(kind: type) -> tuple[Setting, ...]:
    """Lists the settings of a dataclass in the order of their declaration; other fields are none."""
    hints = get_type_hints(kind)
    return tuple(
        Setting(name=each.name, hint=hints[each.name], default=each.default, **each.metadata[METADATA])
        for each in fields(kind)
        if METADATA in each.metadata and each.default is not MISSING
    )


def is_day(text: Any) -> bool:
    """Tells whether it is the text of a day of the calendar, such as 2021-05-01."""
    if not isinstance(text, str) or not text.isascii() or re.match(DAY_PATTERN, text) is None:
        return False
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def check_settings(values: Any) -> None:
    """Raises `ConfigError` for the first setting of the dataclass value that cannot be what it is."""
    for each in settings_of(type(values)):
        each.check(getattr(values, each.name))


def from_mapping(kind: type[T], values: Mapping[str, Any], *, what: str = "settings") -> T:
    """Makes a value of the dataclass `kind` from plain ones. Raises `ConfigError` naming every key that is unknown."""
    known = {each.name: each for each in settings_of(kind)}
    check_known(values, known, what=what)
    return kind(**{name: known[name].normal(value) for name, value in values.items()})


def check_known(given: Mapping[str, Any], known: Sequence[str] | Mapping[str, Any], *, what: str = "settings") -> None:
    """Raises `ConfigError` naming every key of `given` that is not `known`."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        near = nearest(unknown[0], known) if len(unknown) == 1 else ""
        names = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"unknown {what} {', '.join(unknown)}; known are {names}{near}")


def _truth(text: str) -> Any:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower(), text)


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
