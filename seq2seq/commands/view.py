"""`decloud view`: a finished result in a browser, served by this machine for itself alone."""

import webbrowser
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq.commands.stopping import stop_on_signals
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError, MissingDataError
from seq2seq.progress import Progress, ShouldStop

if TYPE_CHECKING:
    from rich.console import Console

    from seq2seq.commands.console import Display
    from seq2seq.viewing.kept import Bundle

EXAMPLES = """
[bold]Examples[/]
  decloud view cloud-free                 [dim]opens a browser; Ctrl-C ends it[/]
  decloud view cloud-free --no-browser --port 8080
  decloud view cloud-free --input moved/fields
  decloud view by-guided --with by-linear [dim]two methods, or two settings, of the same sequence[/]
"""


def view(
    out: Annotated[Path, typer.Argument(help="Folder of a finished run.", metavar="OUT", show_default=False)],
    port: Annotated[int, typer.Option(help="Where to listen; 0: wherever it is free.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open one.")] = True,
    source: Annotated[
        Path | None, typer.Option("--input", help="What the result was made of, where it has moved.", metavar="PATH")
    ] = None,
    other: Annotated[
        Path | None, typer.Option("--with", help="A second result on the same grid, beside it.", metavar="OUT")
    ] = None,
) -> None:
    """Show a result in a browser: swipe, dates, layers, the series of every pixel. No network is needed."""
    from rich.console import Console

    from seq2seq.commands.console import LineDisplay
    from seq2seq.page import INDEX, Page
    from seq2seq.viewing.server import Viewed, serving

    for each in filter(None, (out, other)):
        _check_result(each)
    page, console = Page(), Console()
    if page.find(INDEX) is None:
        raise MissingDataError(f"{INDEX}: the page was not installed with decloud; install it again", file=INDEX)
    lines = LineDisplay(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
    with stop_on_signals(lines, "Stopping.") as stop, ExitStack() as open_:
        bundles = [
            open_.enter_context(_pictures_of(each, source, console, lines.notify, stop.is_set))
            for each in filter(None, (out, other))
        ]
        viewed = Viewed(page, bundles[0], out, *bundles[1:])
        address = open_.enter_context(serving(viewed, port)) + viewed.fragment
        lines.notify(f"{out} is shown at {address}  (Ctrl-C ends it)")
        if browser:
            webbrowser.open(address)
        stop.wait()


def _check_result(out: Path) -> None:
    from seq2seq.looking.result import is_result

    if not is_result(out):
        raise ConfigError(f"{out}: is no result of decloud run with its images; decloud look draws sequences")


def _pictures_of(
    out: Path, source: Path | None, console: "Console", tell: Callable[[str], None], should_stop: ShouldStop
) -> AbstractContextManager["Bundle"]:
    """Those that a result has, else new ones."""
    from seq2seq.viewing.kept import bundle_of

    return bundle_of(out, lambda path: _build(out, source, path, console, should_stop), tell)


def _build(out: Path, source: Path | None, path: Path, console: "Console", should_stop: ShouldStop) -> None:
    from seq2seq.commands.console import open_display

    with open_display(console, quiet=False) as display:
        build_pictures(out, source, path, display, should_stop)


def build_pictures(out: Path, source: Path | None, path: Path, display: "Display", should_stop: ShouldStop) -> None:
    """Makes the bundle. Raises `Stopped`, and `InputError` where result and input do not fit."""
    from seq2seq.looking.result import open_result
    from seq2seq.viewing.bundle import write_bundle
    from seq2seq.viewing.places import in_pack

    display(Progress("reading"))
    config = ReconstructionConfig()
    with open_result(out, source=source, max_memory_gb=config.max_memory_gb) as scene, in_pack(path) as put:
        for note in scene.info.notes:
            display.notify(f"note  {note}")
        write_bundle(scene, put, on_progress=display, should_stop=should_stop)
