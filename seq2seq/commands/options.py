"""An option for each setting, made from its declaration; and the options given, as settings."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from seq2seq.commands.days import days_in, days_listed
from seq2seq.config import METHOD, SETTINGS, ReconstructionConfig
from seq2seq.earlier_names import OF_METHOD, RECIPE, RECIPES, with_present_names
from seq2seq.errors import ConfigError
from seq2seq.methods import find_method
from seq2seq.settings import Setting, check_known, settings_of
from seq2seq.wording import one_line

_SET = "set_of_method"
# One more release; hidden, because `--method` and `--set` have taken their place.
_EARLIER: dict[str, Any] = {
    RECIPE: Literal[tuple(RECIPES)],
    "schedule_factor": float,
    "paper_input": Literal["s1", "noise"],
}

# What is typed instead of a value, see `seq2seq.settings.setting`.
_READ: dict[str, Callable[[str], Any]] = {"interval": days_in, "file": lambda text: days_listed(Path(text))}
_TYPED = {each.name: _READ[each.typed] for each in SETTINGS if each.typed is not None}

_NOW = {RECIPE: "method", **{name: f"--set {now}=VALUE" for name, now in OF_METHOD.items()}}


def with_settings(
    *, local: bool = True, panel: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command an option for each setting in place of its `**given`, which holds those that were named.

    local: whether also those of this machine, such as a device. panel: those under this heading alone.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [each for each in inspect.signature(command).parameters.values() if each.kind is not each.VAR_KEYWORD]
        settings = [each for each in SETTINGS if (local or not each.local) and panel in (None, each.panel)]
        arguments = [each for each in own if each.default is each.empty]
        options = [*map(_option, settings)]
        if panel is None:
            options += [_set_option(), *map(_earlier_option, _EARLIER)]
        parameters = [*arguments, *options, *(each for each in own if each not in arguments)]
        parameters = [each.replace(kind=each.KEYWORD_ONLY) for each in parameters]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return decorate


def settings_from(given: Mapping[str, Any], file: Path | None = None, weights: Path | None = None) -> dict[str, Any]:
    """Collects the settings that were named: those of the file, then the options given (not None), which win.

    weights: trained ones, which bring their method. Raises `ConfigError` and `WeightsUnavailableError`.
    """
    values = read_config_file(file) if file else {}
    values |= {name: _typed(name, value) for name, value in given.items() if value is not None and name != _SET}
    for name, now in _NOW.items():
        if name in values:
            typer.echo(f"decloud: {name} is an earlier name, for one more release: use {now}", err=True)
    values = with_present_names(values)
    of_weights = {} if weights is None else _bring_weights(values, weights)
    method = values.get("method", ReconstructionConfig.method)
    of_method = {**of_weights, **named_settings(method, given.get(_SET) or ())}
    if of_method:
        values["method_settings"] = {**values.get("method_settings", {}), **of_method}
    return values


def build_config(file: Path | None, given: Mapping[str, Any], weights: Path | None = None) -> ReconstructionConfig:
    """Builds from defaults, then the file's values, then the options given (not None). Raises `ConfigError`."""
    return ReconstructionConfig.from_dict(settings_from(given, file, weights))


def read_config_file(file: Path) -> dict[str, Any]:
    """Reads the settings in a .toml or .json file. Raises `ConfigError` naming the file."""
    import tomllib

    try:
        text = file.read_text(encoding="utf-8")
        values = tomllib.loads(text) if file.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        kind = "TOML" if file.suffix.lower() == ".toml" else "JSON"
        raise ConfigError(f"{file}: is not valid {kind} ({one_line(error)})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: holds {type(values).__name__}, must hold settings by name")
    return values


def named_settings(method: Any, texts: Sequence[str]) -> dict[str, Any]:
    """Parses `--set NAME=VALUE`, each checked against the method's settings. Raises `ConfigError`."""
    if not texts:
        return {}
    known = {each.name: each for each in settings_of(find_method(str(method)).settings)}
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ConfigError(f"--set {text}: must be NAME=VALUE")
        check_known([name], known, what=f"settings of method {method}")  # type: ignore[arg-type]
        values[name] = known[name].parse(value.strip())
    return values


def _typed(name: str, value: Any) -> Any:
    return _TYPED[name](value) if name in _TYPED else value


def _bring_weights(values: dict[str, Any], weights: Path) -> dict[str, Any]:
    """Names the method of the weights in `values`, where none is named; returns the setting that they are of it."""
    from seq2seq.model_card import read_card

    of_card = read_card(weights).get("method")
    method = values.setdefault("method", of_card)
    if method is None:
        del values["method"]
        raise ConfigError(f"--weights {weights}: it has no model card that names its method; name it with --method")
    if of_card not in (None, method):
        raise ConfigError(f"--weights {weights} is of method {of_card}, and method is {method}")
    if "weights" not in {each.name for each in settings_of(find_method(str(method)).settings)}:
        raise ConfigError(f"--weights {weights}: method {method} takes no weights")
    return {"weights": str(weights)}


def _shown_choices(setting: Setting) -> str:
    """` auto (default), vgg16, off.`"""
    shown = (f"{choice} (default)" if choice == setting.default else str(choice) for choice in setting.choices)
    return f" {', '.join(shown)}." if setting.choices else ""


def _shown_default(setting: Setting) -> str:
    """` Default 12.`, or nothing where that is stated already or there is none."""
    default = setting.default
    silent = default in (None, "", ()) or setting.choices or isinstance(default, bool) or "by default" in setting.about
    return "" if silent else f" Default {default:g}." if isinstance(default, float) else f" Default {default}."


def _option(setting: Setting) -> inspect.Parameter:
    """None stands for "not given", so that a config file can set it."""
    flags = (setting.flag, "--" + setting.name.replace("_", "-"))
    option = typer.Option(
        *(flag for flag in flags if flag is not None),
        help=f"{setting.about}{_shown_choices(setting)}{_shown_default(setting)}",
        metavar="NAME" if setting.choices else setting.metavar,
        rich_help_panel=setting.panel,
        show_default=False,
    )
    kind: Any = Literal[setting.choices] if setting.choices else setting.kind
    if setting.typed is not None:
        kind = str
    return _keyword(setting.name, Annotated[kind | None, option])


def _set_option() -> inspect.Parameter:
    about = "A setting of the method alone; more than once for several. `decloud methods NAME` lists them."
    option = typer.Option("--set", help=about, metavar="NAME=VALUE", rich_help_panel=METHOD, show_default=False)
    return _keyword(_SET, Annotated[list[str] | None, option])


def _earlier_option(name: str) -> inspect.Parameter:
    option = typer.Option("--" + name.replace("_", "-"), hidden=True, show_default=False)
    return _keyword(name, Annotated[_EARLIER[name] | None, option])


def _keyword(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
