"""`decloud export`: a finished result as one HTML file, to be mailed and opened without a network."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.commands.stopping import stop_on_signals
from seq2seq.commands.view import build_pictures
from seq2seq.errors import ConfigError, OutputError

EXAMPLES = """
[bold]Examples[/]
  decloud export cloud-free result.html
  decloud export cloud-free result.html --max-mb 25
  decloud export cloud-free result.html --styles rgb,rgb-before,ndvi,ndvi-before
"""


# long: its options, one after another
def export(
    out: Annotated[Path, typer.Argument(help="Folder of a finished run.", metavar="OUT", show_default=False)],
    file: Annotated[Path, typer.Argument(help="The file to write.", metavar="FILE.html", show_default=False)],
    max_mb: Annotated[
        float, typer.Option(help="The most it may take: what does not fit is left out, and said so.", min=0.5, max=500)
    ] = 10.0,
    styles: Annotated[
        str | None,
        typer.Option(help="These pictures alone, with commas; by default as many as fit.", metavar="NAME,NAME"),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--input", help="What the result was made of, where it has moved.", metavar="PATH")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.html.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Write a result as one HTML file with pictures, swipe and charts, which opens anywhere, without a network."""
    from rich.console import Console

    from seq2seq.commands.console import open_display
    from seq2seq.looking.result import is_result
    from seq2seq.page import Page
    from seq2seq.viewing.export import MB, export_bundle
    from seq2seq.viewing.kept import bundle_of

    if not is_result(out):
        raise ConfigError(f"{out}: is no result of decloud run with its images; decloud look draws sequences")
    _check_file(file, overwrite=overwrite)
    console = Console(quiet=quiet)
    chosen = tuple(name.strip() for name in (styles or "").split(",") if name.strip())
    with ExitStack() as stack:
        display = stack.enter_context(open_display(console, quiet=quiet))
        stop = stack.enter_context(stop_on_signals(display))
        bundle = stack.enter_context(
            bundle_of(out, lambda path: build_pictures(out, source, path, display, stop.is_set), display.notify)
        )
        written = export_bundle(
            bundle,
            Page(),
            file,
            max_bytes=int(max_mb * MB),
            styles=chosen,
            on_progress=display,
            should_stop=stop.is_set,
        )
    lines = [f"Written  {written.path}, {written.size_bytes / MB:.1f} MB", f"Layers   {', '.join(written.styles)}"]
    lines += [f"Left out {line}" for line in written.left_out]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _check_file(file: Path, *, overwrite: bool) -> None:
    """Before pictures are made, which takes a while."""
    if file.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{file}: a browser opens files that end in .html; name it so")
    if file.is_dir():
        raise OutputError(f"{file}: is a folder; name a file")
    if file.exists() and not overwrite:
        raise OutputError(f"{file}: exists already; --overwrite replaces it")
