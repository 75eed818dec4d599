"""`decloud submit-benchmark`: methods side by side, on a server; what `decloud benchmark` does on this machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.options import JOB, Detach, Input, JobName, Key, Out, Overwrite, Priority, Quiet, Server, To
from api.commands.submitting import submit_sequence
from seq2seq.commands.options import build_config
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError
from seq2seq.processes import (
    BENCHMARK,
    GAP_KINDS,
    LONGEST_MINUTES,
    MOST_SEEDS,
    SHORTEST_MINUTES,
    ComparisonRequest,
)
from seq2seq.wording import no_number, not_one_of

EXAMPLES = """
[bold]Examples[/]
  decloud submit-benchmark fields comparison --methods linear,nearest --gaps cloud
  decloud submit-benchmark fields.zip comparison --seeds 3 --max-minutes 5 --server https://decloud.example.org
  JOB=$(decloud submit-benchmark fields --detach)

Ctrl-C leaves the job running. A broken upload is continued by the same command.
"""
_ALL = "all"
_MAX_MINUTES = "max_minutes"
_COMPARED = "Comparison"
_DEFAULTS = ComparisonRequest()


# long: each of its options is a parameter with its help.
def submit_benchmark(
    input_path: Input,
    output_path: Out = None,
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            rich_help_panel=_COMPARED,
            help="all (default), or some of `decloud methods`; linear is always among them.",
        ),
    ] = None,
    gaps: Annotated[
        str | None,
        typer.Option(
            metavar="KIND,...",
            rich_help_panel=_COMPARED,
            help=f"cloud: cloud shapes; date: whole dates; run: several in a row. Default {','.join(_DEFAULTS.gaps)}.",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            rich_help_panel=_COMPARED,
            help=f"So often, each time other pixels. Default {_DEFAULTS.seeds}.",
            min=1,
            max=MOST_SEEDS,
        ),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            metavar="MIN",
            rich_help_panel=_COMPARED,
            help=f"Of each method on each case, {SHORTEST_MINUTES:g} to {LONGEST_MINUTES:g}. "
            f"Default {_DEFAULTS.max_minutes:g}.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=JOB,
            help="TOML or JSON with settings, as for benchmark: max_minutes alone; options win.",
        ),
    ] = None,
    server: Server = None,
    key: Key = None,
    detach: Detach = False,
    name: JobName = None,
    priority: Priority = 0,
    to: To = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Upload a sequence, have methods compared on it elsewhere, and download the tables."""
    settings = comparison_to_send(config, methods=methods, gaps=gaps, seeds=seeds, max_minutes=max_minutes)
    submit_sequence(
        input_path,
        output_path,
        BENCHMARK,
        settings,
        server=server,
        key=key,
        name=name,
        priority=priority,
        detach=detach,
        overwrite=overwrite,
        quiet=quiet,
        to=to,
    )


def comparison_to_send(
    config: Path | None, *, methods: str | None, gaps: str | None, seeds: int | None, max_minutes: float | None
) -> dict[str, Any]:
    """The inputs that were given in file and options, and no others: defaults are the server's.

    methods, gaps: names with commas between them, or `all`. Raises `ConfigError` for what no server would take, before
    anything is uploaded.
    """
    of_file = None if config is None else _minutes_of_file(config)
    minutes = of_file if max_minutes is None else max_minutes
    if minutes is not None and not SHORTEST_MINUTES <= minutes <= LONGEST_MINUTES:
        raise ConfigError(no_number(_MAX_MINUTES, minutes, SHORTEST_MINUTES, LONGEST_MINUTES, whole=False))
    given: dict[str, Any] = {
        "methods": _names("methods", methods, _check_method),
        "gaps": _names("gaps", gaps, _check_gap),
        "seeds": seeds,
        _MAX_MINUTES: minutes,
    }
    return {name: value for name, value in given.items() if value is not None}


def _check_method(name: str) -> None:
    ReconstructionConfig(method=name)  # raises `ConfigError` naming those that there are


def _check_gap(kind: str) -> None:
    if kind not in GAP_KINDS:
        raise ConfigError(not_one_of("gap", kind, GAP_KINDS))


def _names(what: str, text: str | None, check: Callable[[str], None]) -> list[str] | str | None:
    """As the process takes them: a list, each once, or `all`. Raises `ConfigError`."""
    if text is None:
        return None
    if text.strip() == _ALL:
        return _ALL
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ConfigError(f"{what}: names none")
    for name in names:
        check(name)
    return names


def _minutes_of_file(file: Path) -> float | None:
    """The one setting of a reconstruction that the process has too. Any other would be overlooked: `ConfigError`."""
    config, defaults = build_config(file, {}), ReconstructionConfig().to_dict()
    others = [name for name, value in config.to_dict().items() if name != _MAX_MINUTES and value != defaults[name]]
    if others:
        raise ConfigError(
            f"{file}: {', '.join(others)} cannot be sent: of these settings a comparison on a server takes "
            f"{_MAX_MINUTES} alone; leave the others out, or compare here with decloud benchmark"
        )
    return config.max_minutes
