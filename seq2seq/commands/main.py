"""`decloud`: run, inspect, simulate. Heavy imports wait inside the commands, so that `--help` is there at once."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from seq2seq.apart import check_apart
from seq2seq.bands import BAND_SETS
from seq2seq.commands import weights as weight_commands
from seq2seq.commands.benchmark import EXAMPLES as BENCHMARK_EXAMPLES
from seq2seq.commands.benchmark import benchmark
from seq2seq.commands.evaluate import EXAMPLES as EVALUATE_EXAMPLES
from seq2seq.commands.evaluate import evaluate
from seq2seq.commands.export import EXAMPLES as EXPORT_EXAMPLES
from seq2seq.commands.export import export
from seq2seq.commands.fetch import EXAMPLES as FETCH_EXAMPLES
from seq2seq.commands.fetch import FetchCommand, fetch
from seq2seq.commands.fit import EXAMPLES as FIT_EXAMPLES
from seq2seq.commands.fit import fit
from seq2seq.commands.look import EXAMPLES as LOOK_EXAMPLES
from seq2seq.commands.look import look
from seq2seq.commands.methods import methods
from seq2seq.commands.options import build_config, with_settings
from seq2seq.commands.stopping import stop_on_signals
from seq2seq.commands.view import EXAMPLES as VIEW_EXAMPLES
from seq2seq.commands.view import view
from seq2seq.commands.written import written_files
from seq2seq.config import DATES, LARGE, METHOD, OUTPUT, ReconstructionConfig
from seq2seq.errors import DecloudError, Stopped
from seq2seq.extras import naming_extra
from seq2seq.machine import MOST_PROCESSES, RULE, parse_count
from seq2seq.products import DECLOUDED, PREVIEW, REPORT
from seq2seq.products.base import COG_FORMAT
from seq2seq.products.choosing import Outputs
from seq2seq.readers.formats import readable
from seq2seq.wording import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from seq2seq.commands.console import Display

EXIT_BAD_INPUT = 2
EXIT_STOPPED = 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""
Cloud-free Sentinel-2 sequences, learnt from your own Sentinel-1/Sentinel-2 series alone.

[bold]In:[/]  your data as they came: SAFE, NetCDF, Zarr, exports, GeoTIFFs by date; in a folder, ZIP or file
[bold]Out:[/] a cloud-free GeoTIFF for each date, its uncertainty, and a report that says how good it is
""",
    epilog="""
[bold]Try it[/]
  decloud simulate fields --size 96 --dates 12    [dim]a small cloudy sequence to play with[/]
  decloud inspect fields/input                    [dim]what is in it, and what a run will cost[/]
  decloud run fields/input cloud-free             [dim]then open cloud-free/report.html[/]
""",
)

INPUT_HELP = f"A {readable()}."
PROCESSES_HELP = f"Processes that do tiles at once, within the memory of one; {RULE}. Default 1."


def _option(help_text: str, panel: str, *, names: tuple[str, ...] = (), metavar: str | None = None) -> Any:
    """An option whose default is stated in its help: None stands for "not given", so that a config file can set it."""
    return typer.Option(*names, help=help_text, metavar=metavar, rich_help_panel=panel, show_default=False)


@app.command(
    help=f"Turn a cloudy sequence into a cloud-free one.\n\n{written_files()}",
    epilog="""
[bold]Examples[/]
  decloud run fields cloud-free
  decloud run fields.zip cloud-free --max-minutes 5
  decloud run fields cloud-free --seed 1 --full-prediction --overwrite
  decloud run fields cloud-free --every 5d        [dim]a date every five days, beside those acquired[/]
  decloud run fields cloud-free --config settings.toml
  decloud run large cloud-free --processes 4      [dim]a large scene by four processes, tile by tile[/]

Ctrl-C stops within a second and keeps what was learnt; the same command goes on from there.
""",
)
@with_settings()
def run(
    input_path: Annotated[Path, typer.Argument(metavar="INPUT", help=INPUT_HELP)],
    output_path: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the result; must not exist yet.")],
    config: Annotated[
        Path | None,
        _option("TOML or JSON with these settings (max_minutes = 5); options win.", OUTPUT, metavar="FILE"),
    ] = None,
    weights: Annotated[
        Path | None, _option("Trained weights, which bring their method; see `decloud fit`.", METHOD, metavar="FILE")
    ] = None,
    overwrite: Annotated[bool, _option("Replace an earlier result in OUT.", OUTPUT, names=("--overwrite",))] = False,
    quiet: Annotated[bool, _option("Say nothing but errors.", OUTPUT, names=("--quiet",))] = False,
    processes: Annotated[str, _option(PROCESSES_HELP, LARGE, metavar="N")] = "1",
    **given: Any,
) -> None:
    """Turn a cloudy sequence into a cloud-free one."""
    settings, count = build_config(config, given, weights), parse_count("processes", processes)
    from seq2seq.commands.console import open_display

    console = _console()
    with open_display(console, quiet=quiet) as display:
        written = _reconstruct(input_path, output_path, settings, display, overwrite=overwrite, processes=count)
    if not quiet:
        _print_outcome(console, written)


@app.command(
    epilog="""
[bold]Examples[/]
  decloud inspect fields
  decloud inspect fields.zip --json
  decloud inspect fields --every 5d               [dim]what a run with days beside the acquisitions' will cost[/]
"""
)
@with_settings(panel=DATES)
def inspect(
    input_path: Annotated[Path, typer.Argument(metavar="INPUT", help=INPUT_HELP)],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    config: Annotated[Path | None, typer.Option(help="TOML or JSON with settings, as for run.", metavar="FILE")] = None,
    processes: Annotated[
        int, typer.Option(help="Of a run, which take memory each.", metavar="N", min=1, max=MOST_PROCESSES)
    ] = 1,
    **given: Any,
) -> None:
    """Say what is in a sequence: dates, bands, grid, clouds, S1 pairing, expected time and memory. Trains nothing."""
    settings = build_config(config, given)
    from seq2seq.readers import open_sequence
    from seq2seq.report.inspection import describe

    with open_sequence(input_path, settings) as source:
        found = describe(source, settings, processes)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        from seq2seq.commands.console import print_inspection

        print_inspection(_console(), found)


@app.command(
    epilog="""
[bold]Examples[/]
  decloud simulate fields
  decloud simulate large --dates 30 --size 512 --bands L2A --cloud 0.7 --seed 1
"""
)
def simulate(
    output_path: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for the sequence, OUT/input, and its truth.")
    ],
    dates: Annotated[int, typer.Option(help="Acquisitions.", min=2, max=1000)] = 30,
    size: Annotated[int, typer.Option(help="Pixels of a side, 10 m each.", min=16, max=10980)] = 256,
    bands: Annotated[Literal["L1C", "L2A", "L2A_10", "10m"], typer.Option(help="Product.")] = "L1C",
    cloud: Annotated[float, typer.Option(help="Share of pixels under cloud or shadow.", min=0.0, max=0.95)] = 0.6,
    seed: Annotated[int, typer.Option(help="Same seed, same sequence.", min=0)] = 0,
) -> None:
    """Make a physically plausible sequence of fields with clouds, radar and known truth. Always labelled simulated."""
    from seq2seq.writers import check_output

    check_output(output_path, False)
    from seq2seq.simulation.simulate import simulate as simulate_sequence
    from seq2seq.simulation.simulate import write_simulation

    simulation = simulate_sequence(dates=dates, size=size, bands=BAND_SETS[bands], cloud=cloud, seed=seed)
    write_simulation(simulation, output_path)
    print(f"{output_path}: {dates} dates, {size} x {size} px, {bands}, simulated, with the truth in truth.npz")
    print(f"Next: decloud run {output_path / 'input'} OUT")


app.command(cls=FetchCommand, epilog=FETCH_EXAMPLES)(fetch)
app.command(epilog=FIT_EXAMPLES)(fit)
app.command(epilog=BENCHMARK_EXAMPLES)(benchmark)
app.command(epilog=EVALUATE_EXAMPLES)(evaluate)
app.command(epilog=LOOK_EXAMPLES)(look)
app.command(epilog=VIEW_EXAMPLES)(view)
app.command(epilog=EXPORT_EXAMPLES)(export)
app.command()(methods)
app.add_typer(weight_commands.app, name="weights")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(f"decloud {version_of('decloud')}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the console script. An error of the user's data is one line and exit code 2; a bug of ours may trace."""
    try:
        with naming_extra():
            code = app(None if arguments is None else list(arguments), prog_name="decloud", standalone_mode=False)
        sys.exit(code or 0)
    except typer.TyperException as error:
        _end_with_usage(error)
    except Stopped as stopped:
        print(f"decloud: {one_line(stopped)}", file=sys.stderr)
        sys.exit(EXIT_STOPPED)
    except DecloudError as error:
        print(f"decloud: error: {one_line(error)}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)


def _end_with_usage(error: typer.TyperException) -> NoReturn:
    """Something that was typed is no command, no option or no value for it."""
    from seq2seq.commands import usage

    text = error.format_message() if usage.shows_help(error) else f"decloud: error: {usage.explain(error)}"
    print(text, file=sys.stderr)
    sys.exit(EXIT_BAD_INPUT)


def _reconstruct(
    input_path: Path,
    output_path: Path,
    settings: ReconstructionConfig,
    display: "Display",
    *,
    overwrite: bool,
    processes: int | None,
) -> Path:
    """Runs the pipeline; a signal stops it at the next step, with a checkpoint."""
    from seq2seq.writers import check_output, partial_of

    check_apart(input_path, output_path, partial_of(output_path))
    check_output(output_path, overwrite)  # before torch is loaded: a wrong folder is reported at once
    from seq2seq.run import pipeline

    with stop_on_signals(display) as stop:
        try:
            return pipeline.run(
                input_path,
                output_path,
                settings,
                on_progress=display,
                should_stop=stop.is_set,
                overwrite=overwrite,
                processes=processes,
            )
        except Stopped as stopped:
            raise Stopped(f"stopped; the same command goes on from the checkpoint ({one_line(stopped)})") from stopped


def _print_outcome(console: "Console", written: Path) -> None:
    """Prints the place of the result, and its worth."""
    report = json.loads((written / REPORT.path).read_text(encoding="utf-8"))
    for line in outcome(report, written):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def outcome(report: dict[str, Any], written: Path) -> list[str]:
    """Writes the last lines of a run: files, and the gain over linear interpolation."""
    methods = report["holdout"]["methods"]
    simulated = " (simulated data)" if report["input"]["simulated"] else ""
    proof = report["holdout"]["explanation"]
    if methods:
        from seq2seq.validation.claim import Claim, describe

        gain = report["holdout"]["gain"]
        proof = f"{describe(Claim(**gain) if gain else None)}{simulated}"
    return [
        *_images(report, written),
        f"Picture  {written / PREVIEW.path}",
        f"Report   {written / REPORT.files[1].path}",
        f"Gain     {proof}",
    ]


def _images(report: dict[str, Any], written: Path) -> list[str]:
    """Where the images are: in a folder, in cubes, or both. Reports of earlier versions name no format."""
    outputs = Outputs.of(report["config"].get("format", COG_FORMAT))
    cubes = [product for product in outputs.products if product.format and not product.per_date]
    folder = [f"Images   {written / DECLOUDED.name}"] if DECLOUDED in outputs.products else []
    return [*folder, *(f"Cube     {written / product.path}" for product in cubes)]


def _console() -> "Console":
    from rich.console import Console

    return Console()


if __name__ == "__main__":
    main()
