"""`decloud submit`, `watch`, `jobs`, `download`, `cancel`: jobs on a server, from a terminal."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.commands.options import PANEL, Key, Overwrite, Quiet, Server, console_for, interruptible
from seq2seq.apart import check_apart
from seq2seq.commands import main as library
from seq2seq.commands.options import settings_from, with_settings
from seq2seq.config import SETTINGS, ReconstructionConfig
from seq2seq.errors import ConfigError
from seq2seq.settings import settings_of

if TYPE_CHECKING:
    from rich.console import Console

    from api.client import Client, RemoteJob
    from seq2seq.commands.console import Display

app = typer.Typer()

_JOB = "Job"
_SHORTEST_ID, _SHOWN_ID, _WHOLE_ID = 4, 8, 36


# long: each of its options is a parameter with its help.
@app.command(
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud submit fields cloud-free
  decloud submit fields.zip cloud-free --max-minutes 5 --server https://decloud.example.org
  JOB=$(decloud submit fields --detach)

Ctrl-C leaves the job running. A broken upload is continued by the same command.
""",
)
@with_settings(local=False)
def submit(
    input_path: Annotated[Path, typer.Argument(metavar="INPUT", help=library.INPUT_HELP)],
    output_path: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="Download the result into this folder when it is there.")
    ] = None,
    server: Server = None,
    key: Key = None,
    detach: Annotated[
        bool, typer.Option("--detach", rich_help_panel=_JOB, help="Print the job's id and do not wait for it.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(rich_help_panel=_JOB, metavar="TEXT", help="What you call it. Default: INPUT's name.")
    ] = None,
    priority: Annotated[
        int, typer.Option(rich_help_panel=_JOB, metavar="N", help="Among your own jobs; higher is sooner.")
    ] = 0,
    config: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_JOB, metavar="FILE", help="TOML or JSON with settings, as for run; options win."),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    **given: Any,
) -> None:
    """Upload a sequence, have it made cloud-free elsewhere, and download the result."""
    wanted = settings_to_send(config, given)
    if detach and output_path is not None:
        raise ConfigError("--detach does not wait for a result, so there is none for OUT; leave one of them out")
    if output_path is not None:
        check_apart(input_path, output_path, output_path.absolute().with_name(f"{output_path.name}.part"))
    console = console_for(stderr=detach)
    with _connected(server, key, console, quiet=quiet) as (client, display):
        if output_path is not None:
            _check_folder(output_path, overwrite)  # before anything is sent: a wrong folder is said at once
        with interruptible("stopped; the same command goes on with the upload"):
            upload = client.upload(input_path, on_progress=display)
        job = client.submit(upload, wanted, name=name or input_path.absolute().name or None, priority=priority)
        if detach:
            print(job.id)
            return
        display.notify(f"Job {job.id}")
        _see_through(client, job, output_path, display, overwrite=overwrite)
    _say_outcome(console, job.id, output_path, quiet=quiet)


@app.command(
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud watch             [dim]your newest job[/]
  decloud watch 5d8b1c0e
""",
)
def watch(
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="Its id, or how it begins. Default: your newest.")
    ] = None,
    server: Server = None,
    key: Key = None,
    quiet: Quiet = False,
) -> None:
    """Follow a job to its end."""
    console = console_for()
    with _connected(server, key, console, quiet=quiet) as (client, display):
        found = find_job(client, job)
        display.notify(f"Job {found.id}{f' ({found.name})' if found.name else ''}")
        _see_through(client, found, None, display)
    _say_outcome(console, found.id, None, quiet=quiet)


@app.command(
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud jobs
  decloud jobs --status running --json
""",
)
def jobs(
    server: Server = None,
    key: Key = None,
    status: Annotated[
        Literal["accepted", "running", "successful", "failed", "dismissed"] | None,
        typer.Option(help="Only those: accepted, running, successful, failed, dismissed.", metavar="NAME"),
    ] = None,
    limit: Annotated[int, typer.Option(help="How many.", metavar="N", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List your jobs, newest first."""
    console = console_for()
    with _connected(server, key, console, quiet=True) as (client, _):
        found = list(client.jobs(statuses=(status,) if status else (), limit=limit))
    if as_json:
        print(json.dumps([dict(job.values) for job in found], indent=2))
        return
    from api.commands.listings import job_table

    console.print(job_table(found, id_length=_SHOWN_ID) if found else "No jobs.", highlight=False)


@app.command(
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud download 5d8b1c0e cloud-free

A broken download is continued by the same command; every file is checked.
""",
)
def download(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its id, or how it begins.")],
    output_path: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the result; must not exist yet.")],
    server: Server = None,
    key: Key = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Download the result of a job."""
    console = console_for()
    with (
        _connected(server, key, console, quiet=quiet) as (client, display),
        interruptible("stopped; the same command goes on from here"),
    ):
        found = find_job(client, job)
        client.download(found.id, output_path, overwrite=overwrite, on_progress=display)
    _say_outcome(console, found.id, output_path, quiet=quiet)


@app.command(
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud cancel 5d8b1c0e
""",
)
def cancel(
    job: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids, or how they begin.")],
    server: Server = None,
    key: Key = None,
) -> None:
    """Cancel jobs; those that have ended stay as they are."""
    with _connected(server, key, console_for(), quiet=True) as (client, _):
        for each in job:
            cancelled = client.cancel(find_job(client, each).id)
            print(f"{cancelled.id}  {cancelled.message}")


def settings_to_send(config: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """The settings given in file and options, and no others. Raises `ConfigError` for what no server would take."""
    values = settings_from(given, config)
    info = ReconstructionConfig.from_dict(values).info
    local = {each.name: each.default for each in SETTINGS if each.local}
    of_method = {each.name: each.default for each in settings_of(info.settings) if each.local}
    for given_values, defaults in ((values, local), (values.get("method_settings", {}), of_method)):
        for name, default in defaults.items():
            if given_values.get(name, default) not in (default, None):
                raise ConfigError(f"{name} is for decloud run; a service chooses its own")
    return {name: value for name, value in values.items() if name not in local and value is not None}


def find_job(client: "Client", text: str | None) -> "RemoteJob":
    """The job with this id, or whose id begins so; without any, the newest. Raises `ClientError`."""
    from api.client import UnknownJob

    if text is None:
        newest = next(client.jobs(limit=1), None)
        if newest is None:
            raise UnknownJob(f"{client.url}: you have no jobs there")
        return newest
    if len(text) < _SHORTEST_ID or len(text) >= _WHOLE_ID:
        return client.job(text)
    found = [job for job in client.jobs() if job.id.startswith(text)]
    if len(found) != 1:
        raise UnknownJob(f"{len(found) or 'none'} of your jobs begin with {text}" + "; give more of it" * bool(found))
    return found[0]


def _see_through(
    client: "Client", job: "RemoteJob", out: Path | None, display: "Display", *, overwrite: bool = False
) -> None:
    """Until it has ended, and its result is here."""
    again = f"decloud watch {job.id[:_SHOWN_ID]}" if out is None else f"decloud download {job.id[:_SHOWN_ID]} {out}"
    with interruptible(f"job {job.id} goes on without you: {again}"):
        client.wait(job.id, on_progress=display).check_successful()
        if out is not None:
            client.download(job.id, out, overwrite=overwrite, on_progress=display)


def _say_outcome(console: "Console", job_id: str, out: Path | None, *, quiet: bool) -> None:
    """Where the result is, or how to get it."""
    if quiet:
        return
    if out is None:
        lines = [f"Done. decloud download {job_id[:_SHOWN_ID]} OUT"]
    elif not (out / "report.json").exists():  # a comparison of methods
        lines = [f"Report   {out / 'report.html'}"]
    else:
        lines = library.outcome(json.loads((out / "report.json").read_text(encoding="utf-8")), out)
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _connected(
    server: str | None, key: str | None, console: "Console", *, quiet: bool
) -> Iterator[tuple["Client", "Display"]]:
    """A client that remembers uploads, and where its progress is shown."""
    from api.client import Client
    from api.client.calls import is_here
    from api.commands.whereabouts import bookmarks_file, key_for, server_url
    from seq2seq.commands.console import open_display

    url = server or server_url()
    with (
        open_display(console, quiet=quiet) as display,
        Client(url, key or key_for(url), bookmarks=bookmarks_file(), on_notice=display.notify) as client,
    ):
        if client.url.startswith("http:") and not is_here(client.url):
            display.notify(f"{client.url} is not https: key and data can be read on their way")
        yield client, display


def _check_folder(out: Path, overwrite: bool) -> None:
    from api.client.downloading import check_folder

    check_folder(out, overwrite)
