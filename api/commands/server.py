"""`decloud serve` and `decloud demo`."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.commands.options import PANEL, Data, interruptible, settings_from
from seq2seq.extras import check_extra

app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud serve
  decloud serve --data /srv/decloud --host 0.0.0.0 --port 8080

Every other setting is an environment variable, DECLOUD_...
""",
)
def serve(
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen at. Default 127.0.0.1.", metavar="HOST")] = None,
    port: Annotated[
        int | None, typer.Option(help="Default 8000; 0: any that is free.", metavar="N", min=0, max=65535)
    ] = None,
    no_keys: Annotated[
        bool, typer.Option("--no-keys", help="Whoever reaches a loopback address may come in, without an API key.")
    ] = False,
) -> None:
    """Run the whole service on this machine: API, queue, files in one folder, a worker for each device."""
    from api.commands.serve import serve as serve_until_stopped

    auth = "none" if no_keys else None
    settings = settings_from(data=data, host=host, port=port, auth=auth)
    serve_until_stopped(settings, notify=lambda line: print(line, flush=True))


@app.command(
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud demo
  decloud demo try-it --dates 12 --size 64 --max-minutes 1
  decloud demo --no-wait                                   [dim]ends by itself, in scripts[/]
""",
)
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="For the sequence and the result.")] = Path("demo"),
    dates: Annotated[int, typer.Option(help="Acquisitions of the simulated sequence.", min=2, max=1000)] = 20,
    size: Annotated[int, typer.Option(help="Its size, pixels of 10 m.", min=16, max=10980)] = 96,
    bands: Annotated[Literal["L1C", "L2A", "L2A_10", "10m"], typer.Option(help="Its product.")] = "L2A_10",
    cloud: Annotated[float, typer.Option(help="Share of it under cloud.", min=0.0, max=0.95)] = 0.5,
    seed: Annotated[int, typer.Option(help="Of the sequence and the method.", min=0)] = 0,
    max_minutes: Annotated[float, typer.Option(help="For the method.", min=0.1)] = 2.0,
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait", help="Show the result until Ctrl-C; by default in a terminal.", show_default=False
        ),
    ] = None,
) -> None:
    """Show it all on simulated data: start a server, submit with a progress bar, download, swipe in a browser."""
    for extra in ("core", "client", "service"):  # before a command of it fails half-way
        check_extra(extra)
    from api.commands.demo import demo as run_demo
    from api.commands.demo import show

    simulation = {"dates": dates, "size": size, "bands": bands, "cloud": cloud, "seed": seed}
    submission = {"max-minutes": max_minutes, "seed": seed}
    with interruptible("stopped, and the server with it"):
        status = run_demo(folder, simulation=_as_options(simulation), submission=_as_options(submission))
    if status:
        raise typer.Exit(status)
    show(folder, wait=sys.stdout.isatty() if wait is None else wait)


def _as_options(values: dict[str, Any]) -> list[str]:
    return [text for name, value in values.items() for text in (f"--{name}", str(value))]
