"""`decloud submit-group`: many sequences with the same settings, from a terminal."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.connecting import connected
from api.commands.jobs import settings_to_send
from api.commands.options import (
    JOB,
    PANEL,
    Detach,
    Key,
    Overwrite,
    Priority,
    Quiet,
    Server,
    Tag,
    console_for,
    interruptible,
)
from seq2seq.commands.main import INPUT_HELP
from seq2seq.commands.options import with_settings
from seq2seq.errors import ConfigError

if TYPE_CHECKING:
    from api.client import Client, RemoteGroup
    from seq2seq.commands.console import Display

app = typer.Typer()


# long: each of its options is a parameter with its help.
@app.command(
    "submit-group",
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud submit-group north.zip south.zip --out cloud-free --tag 2021
  GROUP=$(decloud submit-group fields/* --detach --max-minutes 5)

All are accepted, or none. Ctrl-C leaves the jobs running.
""",
)
@with_settings(local=False)
def submit_group(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help=INPUT_HELP)],
    out: Annotated[
        Path | None,
        typer.Option("--out", rich_help_panel=JOB, metavar="DIR", help="Download each result into a folder in there."),
    ] = None,
    server: Server = None,
    key: Key = None,
    detach: Detach = False,
    name: Annotated[
        str | None, typer.Option("--name", rich_help_panel=JOB, metavar="TEXT", help="What you call the group.")
    ] = None,
    priority: Priority = 0,
    tag: Tag = None,
    config: Annotated[
        Path | None,
        typer.Option(rich_help_panel=JOB, metavar="FILE", help="TOML or JSON with settings, as for run; options win."),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    **given: Any,
) -> None:
    """Upload many sequences and have all of them made cloud-free with the same settings."""
    if detach and out is not None:
        raise ConfigError("--detach does not wait for results, so there are none for --out; leave one of them out")
    settings = settings_to_send(config, given)
    about: dict[str, Any] = {"name": name, "tags": tag or (), "priority": priority}
    with connected(server, key, console_for(stderr=detach), quiet=quiet) as (client, display):
        with interruptible("stopped; the same command goes on with the uploads"):
            uploads = [client.upload(path, on_progress=display) for path in inputs]
        titles = [path.absolute().name for path in inputs]
        group = client.groups.submit(uploads, settings, names=titles, **about)
        if detach:
            print(group.id)
            return
        display.notify(f"Group {group.id}")
        with interruptible(f"the {len(group.jobs)} jobs of group {group.id} go on without you"):
            ended = client.groups.wait(group.id, on_progress=display)
            _download(client, ended, out, display, overwrite=overwrite)
    _say(ended, out, quiet=quiet)
    if ended.status != "successful":
        raise typer.Exit(1)


def _download(client: "Client", group: "RemoteGroup", out: Path | None, display: "Display", *, overwrite: bool) -> None:
    """Each result that there is, into a folder by its number and name."""
    if out is None:
        return
    for number, job in enumerate(group.jobs, 1):
        if job.get("status") == "successful":
            called = Path(str(job.get("name") or "")).name.removesuffix(".zip") or "sequence"
            folder = out / f"{number:02d}-{called}"
            client.download(str(job["jobID"]), folder, overwrite=overwrite, on_progress=display)


def _say(group: "RemoteGroup", out: Path | None, *, quiet: bool) -> None:
    """How each went, and where the results are."""
    if quiet:
        return
    console = console_for()
    for job in group.jobs:
        line = f"{job.get('status', ''):<11}{str(job.get('jobID', ''))[:8]}  {job.get('name') or ''}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if out is not None:
        console.print(f"Results    {out}", markup=False, highlight=False, soft_wrap=True)
