"""`decloud benchmark`: the methods side by side on somebody's own sequences."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seq2seq.commands.options import build_config
from seq2seq.commands.stopping import stop_on_signals
from seq2seq.comparison.jobs import RULE, describe_jobs, parse_jobs
from seq2seq.errors import ConfigError, Stopped
from seq2seq.extras import naming_extra

if TYPE_CHECKING:
    from rich.console import Console

EXAMPLES = """
[bold]Examples[/]
  decloud benchmark fields --methods linear,nearest,guided --seeds 1 --gaps cloud
  decloud benchmark fields other.zip --max-minutes 5 --out comparison

Ctrl-C stops; the same command goes on with what was not finished.
"""
_STOPPING = "Stopping; finished results are kept. Once more to end at once."


# long: its options, one after another
def benchmark(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Sequences, each as for run.")],
    methods: Annotated[str, typer.Option(metavar="NAME,...", help="all, or some of `decloud methods`.")] = "all",
    gaps: Annotated[
        str, typer.Option(metavar="KIND,...", help="cloud: cloud shapes; date: whole dates; run: several in a row.")
    ] = "cloud,date,run",
    seeds: Annotated[int, typer.Option(metavar="N", help="So often, each time other pixels.", min=1, max=1000)] = 3,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the tables; that of an earlier benchmark goes on.")
    ] = Path("benchmark"),
    max_minutes: Annotated[
        float | None,
        typer.Option(metavar="MIN", help="Of each method on each case.", min=0.1, max=10080, show_default=False),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda, cuda:1, mps.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML or JSON with settings, as for run.", show_default=False)
    ] = None,
    jobs: Annotated[
        str,
        typer.Option(metavar="N", help=f"Methods that run at once, within max_memory_gb; {RULE}. Seconds suffer."),
    ] = "1",
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
    protocol: Annotated[
        Literal["igarss2021"] | None,
        typer.Option(
            help="A published evaluation in place of gaps, beside its table.", metavar="NAME", show_default=False
        ),
    ] = None,
) -> None:
    """Compare methods: hide clear pixels, the same for all, score what each makes of them, and write one table."""
    settings = build_config(config, {"max_minutes": max_minutes, "device": device})
    wanted = parse_jobs(jobs)
    from rich.console import Console

    from seq2seq.commands.console import open_display

    with naming_extra():
        from seq2seq.comparison.benchmark import benchmark as compare
        from seq2seq.comparison.benchmark import make_plan
    plan = make_plan(methods, gaps, seeds, settings)
    console = Console()
    if protocol is not None:
        if wanted != 1:
            raise ConfigError(f"--jobs {jobs}: --protocol runs one method after another; leave --jobs out")
        from seq2seq.commands.igarss2021 import run_protocol

        run_protocol(console, inputs, out, plan, quiet=quiet)
        return
    with open_display(console, quiet=quiet) as display, stop_on_signals(display, _STOPPING) as stop:
        try:
            results = compare(inputs, out, plan, jobs=wanted, on_progress=display, should_stop=stop.is_set)
        except Stopped as stopped:
            raise Stopped("stopped; the same command goes on with what was not finished") from stopped
    if not quiet:
        _print(console, results, out)


def _print(console: "Console", results: dict[str, Any], out: Path) -> None:
    """The table of all gaps, what failed, and where the files are."""
    from rich.table import Table

    from seq2seq.comparison.output import PAGE, summary

    head, rows = summary(results)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, heading in enumerate(head):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if said := describe_jobs(results["jobs"], max_minutes=results["max_minutes"]):
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    for failure in results["failures"]:
        line = f"{failure['method']}, {failure['case']}: {failure['reason']}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"Report   {out / PAGE}", markup=False, highlight=False, soft_wrap=True)
