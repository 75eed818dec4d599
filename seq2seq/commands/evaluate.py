"""`decloud evaluate`: a method on a published data set, by its published protocol, beside published rows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seq2seq.commands.options import build_config
from seq2seq.commands.stopping import stop_on_signals
from seq2seq.errors import Stopped
from seq2seq.extras import naming_extra

if TYPE_CHECKING:
    from rich.console import Console

    from seq2seq.evaluation.base import Protocol

EXAMPLES = """
[bold]Examples[/]
  decloud evaluate sen12mscr /data/SEN12MSCR --method dsen2-cr --weights carl.safetensors
  decloud evaluate sen12mscrts-series /data/SEN12MSCRTS --blended --limit 20

Ctrl-C stops; the same command goes on with what was not finished.
"""
_STOPPING = "Stopping; finished samples are kept. Once more to end at once."


def _option(about: str, metavar: str | None = None, **limits: Any) -> Any:
    return typer.Option(help=about, metavar=metavar, show_default=False, **limits)


# long: its options, one after another
def evaluate(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET", help="A published data set, such as sen12mscr; a name that is none lists them."
        ),
    ],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder that it was unpacked to.")],
    protocol: Annotated[str | None, _option("One of the data set's; by default its first.", "NAME")] = None,
    split: Annotated[str | None, _option("train, val, test; by default the protocol's.", "NAME")] = None,
    method: Annotated[str | None, _option("As for run.", "NAME")] = None,
    set_of_method: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the method, as for run.", metavar="NAME=VALUE", show_default=False),
    ] = None,
    weights: Annotated[Path | None, _option("Trained weights of the method: nothing is learnt then.", "FILE")] = None,
    clouds: Annotated[
        Literal["seen", "hidden"] | None,
        _option("What it gets of cloudy pixels; by default nothing, or with weights what the protocol says.", "WHAT"),
    ] = None,
    blended: Annotated[bool, typer.Option("--blended", help="With all that a run adds, not the method alone.")] = False,
    limit: Annotated[int | None, _option("The first samples alone.", "N", min=1)] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the tables; that of an earlier evaluation goes on.")
    ] = Path("evaluation"),
    seed: Annotated[int | None, _option("As for run; also of what a protocol hides.", "N", min=0)] = None,
    max_minutes: Annotated[float | None, _option("Of each sample.", "MIN", min=0.1, max=10080)] = None,
    device: Annotated[str | None, _option("auto, cpu, cuda, cuda:1, mps.", "NAME")] = None,
    config: Annotated[Path | None, _option("TOML or JSON with settings, as for run.", "FILE")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Score a method on a published data set by its published protocol, and set the result beside published ones."""
    given = {"method": method, "set_of_method": set_of_method, "seed": seed}
    settings = build_config(config, {**given, "max_minutes": max_minutes, "device": device})
    from rich.console import Console

    from seq2seq.commands.console import open_display

    with naming_extra():
        from seq2seq.evaluation import runner
    if weights is not None:
        settings = runner.with_weights(settings, weights)
    plan = runner.make_plan(
        dataset, settings, protocol=protocol, split=split, clouds=clouds, blended=blended, limit=limit
    )
    console = Console()
    with open_display(console, quiet=quiet) as display, stop_on_signals(display, _STOPPING) as stop:
        try:
            found = runner.evaluate(path, out, plan, on_progress=display, should_stop=stop.is_set)
        except Stopped as stopped:
            raise Stopped("stopped; the same command goes on with what was not finished") from stopped
    if not quiet:
        _print(console, found, plan.protocol, out)


def _print(console: "Console", found: dict[str, Any], protocol: "Protocol", out: Path) -> None:
    """The table, what to bear in mind about our row, and where the files are."""
    from rich.table import Table

    from seq2seq.evaluation.output import MARKDOWN, shown

    head, rows = shown(found, protocol)
    table = Table(box=None, pad_edge=False, header_style="dim")
    source = len(head) - 2  # too long for a terminal, and in the files
    for number, heading in enumerate(head):
        if number != source:
            numeric = 0 < number < source
            side: Literal["right", "left"] = "right" if numeric else "left"
            table.add_column(heading, justify=side, min_width=6 if numeric else 12, overflow="fold")
    for row in rows:
        table.add_row(*row[:source], *row[source + 1 :])
    console.print(table)
    for note in found["notes"]:
        console.print(f"note  {note}", markup=False, highlight=False, soft_wrap=True)
    for failure in found["failures"]:
        line = f"{failure.sample}: {failure.reason}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"Table {out / MARKDOWN}", markup=False, highlight=False, soft_wrap=True)
