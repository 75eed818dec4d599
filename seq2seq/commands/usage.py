"""Mistakes of typing on the command line, in one line like all other errors: the word given, and those possible."""

import re
from typing import Any

import typer

from seq2seq.config import SETTINGS
from seq2seq.wording import nearest, no_number, not_one_of

_QUOTED = re.compile(r"'([^']+)'")


def explain(error: typer.TyperException) -> str:
    """Words the error that typer raised as one of ours. It names the option, or the argument, or the command."""
    context, param = getattr(error, "ctx", None), getattr(error, "param", None)
    if isinstance(error, typer.BadParameter) and param is not None:
        return _wrong_value(error, param) if type(error) is typer.BadParameter else _missing(param, context)
    message = error.format_message()
    if message.startswith("No such option"):
        option = str(getattr(error, "option_name", ""))
        return f"there is no option {option}" + (nearest(option, _options(context)) or _see_help(context))
    if message.startswith("No such command"):
        command = _first_quoted(message)
        return f"there is no command {command}" + (nearest(command, _commands(context)) or _see_help(context))
    if message.endswith("requires an argument."):
        return f"{_first_quoted(message)} needs a value"
    if message.endswith("does not take a value."):
        return f"{_first_quoted(message)} takes no value"
    if message.startswith("Got unexpected extra argument"):
        return f"{message[message.find(' (') + 2 : -1]} is too much: {_usage(context)}"
    return message


def shows_help(error: typer.TyperException) -> bool:
    """Tells whether it is no mistake to explain: nothing was asked for, and the help is the answer."""
    return type(error).__name__ == "NoArgsIsHelpError"


def _wrong_value(error: typer.BadParameter, param: Any) -> str:
    name, kind = _name(param), param.type_descriptor
    given = _given(error)
    if kind.choices is not None:
        return not_one_of(name, given, map(str, kind.choices))
    if kind.annotation in (int, float):
        limits = {each.name: (each.low, each.high) for each in SETTINGS if each.kind in (int, float)}
        low, high = limits.get(param.name, (kind.parameter_info.min, kind.parameter_info.max))
        return no_number(name, _as_number(given), low, high, whole=kind.annotation is int)
    return f"{name}: {error.message}"


def _missing(param: Any, context: Any) -> str:
    return f"{_name(param)} is missing: {_usage(context)}"


def _given(error: BaseException) -> Any:
    """The words typed, which typer keeps in the error of the check alone."""
    problems: Any = getattr(error.__cause__, "errors", list)()
    return problems[0]["input"] if problems else None


def _as_number(given: Any) -> Any:
    """Numbers are shown as numbers, everything else in quotes."""
    try:
        return int(given) if str(given).lstrip("+-").isdecimal() else float(given)
    except (TypeError, ValueError):
        return given


def _name(param: Any) -> str:
    """`--seed`, or `INPUT`."""
    return str(param.metavar or param.name) if param.param_type_name == "argument" else str(max(param.opts, key=len))


def _usage(context: Any) -> str:
    """`decloud run [OPTIONS] INPUT OUT`."""
    return " ".join(str(context.get_usage()).removeprefix("Usage: ").translate({ord("{"): "", ord("}"): ""}).split())


def _see_help(context: Any) -> str:
    return f"; {context.command_path} --help shows them all" if context is not None else ""


def _options(context: Any) -> list[str]:
    return [name for param in context.command.params for name in param.opts] if context is not None else []


def _commands(context: Any) -> list[str]:
    return list(getattr(context.command, "commands", ())) if context is not None else []


def _first_quoted(text: str) -> str:
    found = _QUOTED.search(text)
    return found.group(1) if found else text
