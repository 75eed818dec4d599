"""The options that the service's commands share, their defaults, and ways to end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq.commands.main import INPUT_HELP
from seq2seq.errors import Stopped

if TYPE_CHECKING:
    from rich.console import Console

    from worker.settings import Settings

PANEL = "Service"
SHOWN = "Output"
JOB = "Job"
_SERVER = "Server"
_FETCHED = "In place of INPUT, fetched by the server"

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="DECLOUD_SERVER",
        rich_help_panel=_SERVER,
        help="By default the one that serves ./decloud-data, or http://127.0.0.1:8000.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        envvar="DECLOUD_KEY",
        rich_help_panel=_SERVER,
        help="API key. For a server of this machine by default the one in ./decloud-data/key.",
    ),
]
Detach = Annotated[
    bool, typer.Option("--detach", rich_help_panel=JOB, help="Print the job's id and do not wait for it.")
]
JobName = Annotated[
    str | None,
    typer.Option("--name", rich_help_panel=JOB, metavar="TEXT", help="What you call it. Default: INPUT's name."),
]
Tag = Annotated[
    list[str] | None,
    typer.Option("--tag", rich_help_panel=JOB, metavar="TEXT", help="A word of yours to find it by; may be repeated."),
]
Priority = Annotated[
    int, typer.Option("--priority", rich_help_panel=JOB, metavar="N", help="Among your own jobs; higher is sooner.")
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        rich_help_panel=JOB,
        metavar="s3://BUCKET/PREFIX",
        help="Have the server bring the result there, where its operator allows that bucket.",
    ),
]
Input = Annotated[Path, typer.Argument(metavar="INPUT", help=INPUT_HELP)]
# Without it, the server fetches.
FetchableInput = Annotated[Path | None, typer.Argument(metavar="INPUT", help=INPUT_HELP, show_default=False)]
Href = Annotated[
    str | None,
    typer.Option(
        "--href", rich_help_panel=_FETCHED, metavar="URL", help="https:// or s3:// of a file or of STAC items."
    ),
]
AreaOption = Annotated[
    str | None,
    typer.Option("--area", rich_help_panel=_FETCHED, metavar="AREA", help="W,S,E,N in degrees, or a GeoJSON file."),
]
Period = Annotated[
    str | None,
    typer.Option(
        "--period", rich_help_panel=_FETCHED, metavar="DATES", help="Of an --area: FIRST/LAST, both included."
    ),
]
CatalogName = Annotated[
    str | None,
    typer.Option(
        "--catalog",
        rich_help_panel=_FETCHED,
        metavar="NAME",
        help="Of an --area; default: the first that the operator allows.",
    ),
]
SampleOption = Annotated[
    str | None,
    typer.Option(
        "--sample", rich_help_panel=_FETCHED, metavar="NAME", help="Simulated by the server, to try it: fields."
    ),
]
Out = Annotated[
    Path | None, typer.Argument(metavar="OUT", help="Download the result into this folder when it is there.")
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", envvar="DECLOUD_DATA", help="Data folder. Default ./decloud-data."),
]
Quiet = Annotated[bool, typer.Option("--quiet", rich_help_panel=SHOWN, help="Say nothing but errors.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", rich_help_panel=SHOWN, help="Replace a result in OUT.")]


@contextmanager
def interruptible(message: str) -> Iterator[None]:
    """Makes Ctrl-C inside end the command with this line."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(message) from None


def settings_from(**given: Any) -> "Settings":
    """The settings of the environment, with what was given in place of them."""
    from worker.settings import load_settings

    return load_settings(**{name: value for name, value in given.items() if value is not None})


def console_for(*, stderr: bool = False) -> "Console":
    """The console that people read; `stderr` where stdout is for programs."""
    from rich.console import Console

    return Console(stderr=stderr)
