"""`decloud view`: a finished result in a browser, served by this machine for itself alone."""

import webbrowser
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

EXAMPLES = """
[bold]Examples[/]
  decloud view cloud-free                 [dim]opens a browser; Ctrl-C ends it[/]
  decloud view cloud-free --no-browser --port 8080
  decloud view cloud-free --input moved/fields
"""


def view(
    out: Annotated[Path, typer.Argument(help="Folder of a finished run.", metavar="OUT", show_default=False)],
    port: Annotated[int, typer.Option(help="Where to listen; 0: wherever it is free.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open one.")] = True,
    source: Annotated[
        Path | None, typer.Option("--input", help="What the result was made of, where it has moved.", metavar="PATH")
    ] = None,
) -> None:
    """Show a result in a browser: swipe, dates, layers, the series of every pixel. No network is needed."""
    from rich.console import Console

    from seq2seq.commands.console import LineDisplay
    from seq2seq.looking.result import is_result
    from seq2seq.page import INDEX, Page
    from seq2seq.viewing.kept import bundle_of
    from seq2seq.viewing.server import Viewed, serving

    if not is_result(out):
        raise ConfigError(f"{out}: is no result of decloud run with its images; decloud look draws sequences")
    page, console = Page(), Console()
    if page.find(INDEX) is None:
        raise MissingDataError(f"{INDEX}: the page was not installed with decloud; install it again", file=INDEX)
    lines = LineDisplay(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
    with (
        stop_on_signals(lines, "Stopping.") as stop,
        bundle_of(out, lambda path: _build(out, source, path, console, stop.is_set), lines.notify) as bundle,
        serving(Viewed(page, bundle, out), port) as address,
    ):
        lines.notify(f"{out} is shown at {address}  (Ctrl-C ends it)")
        if browser:
            webbrowser.open(address)
        stop.wait()


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
