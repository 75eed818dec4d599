"""`decloud submit`, `watch`, `jobs`, `download`, `cancel`: jobs on a server, from a terminal."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.commands.benchmark import EXAMPLES as BENCHMARK_EXAMPLES
from api.commands.benchmark import submit_benchmark
from api.commands.connecting import SHOWN_ID, connected, say_outcome, see_through
from api.commands.options import (
    JOB,
    PANEL,
    AreaOption,
    CatalogName,
    Detach,
    FetchableInput,
    Href,
    JobName,
    Key,
    Out,
    Overwrite,
    Period,
    Priority,
    Quiet,
    SampleOption,
    Server,
    Tag,
    To,
    console_for,
    interruptible,
)
from api.commands.submitting import asked_of, submit_sequence
from seq2seq.commands.options import settings_from, with_settings
from seq2seq.config import SETTINGS, ReconstructionConfig
from seq2seq.errors import ConfigError
from seq2seq.processes import DECLOUD
from seq2seq.settings import settings_of

if TYPE_CHECKING:
    from api.client import Client, RemoteJob

app = typer.Typer()

_SHORTEST_ID, _WHOLE_ID = 4, 36


# long: each of its options is a parameter with its help.
@app.command(
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud submit fields cloud-free
  decloud submit fields.zip cloud-free --max-minutes 5 --server https://decloud.example.org
  JOB=$(decloud submit fields --detach)
  decloud submit fields --to s3://fields-of-ann/2021
  decloud submit cloud-free --href https://data.example.org/fields.zip
  decloud submit cloud-free --area 4.60,50.60,4.63,50.62 --period 2021-05-01/2021-10-31
  decloud submit cloud-free --sample fields --max-minutes 1

With --href or --area the server fetches the sequence, where its operator allows it.
Ctrl-C leaves the job running. A broken upload is continued by the same command.
""",
)
@with_settings(local=False)
def submit(
    input_path: FetchableInput = None,
    output_path: Out = None,
    href: Href = None,
    area: AreaOption = None,
    period: Period = None,
    catalog: CatalogName = None,
    sample: SampleOption = None,
    server: Server = None,
    key: Key = None,
    detach: Detach = False,
    name: JobName = None,
    priority: Priority = 0,
    tag: Tag = None,
    config: Annotated[
        Path | None,
        typer.Option(rich_help_panel=JOB, metavar="FILE", help="TOML or JSON with settings, as for run; options win."),
    ] = None,
    to: To = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    **given: Any,
) -> None:
    """Upload a sequence, have it made cloud-free elsewhere, and download the result."""
    sequence, out = asked_of(
        input_path, output_path, href=href, area=area, period=period, catalog=catalog, sample=sample
    )
    submit_sequence(
        sequence,
        out,
        DECLOUD,
        settings_to_send(config, given),
        server=server,
        key=key,
        name=name,
        priority=priority,
        detach=detach,
        overwrite=overwrite,
        quiet=quiet,
        to=to,
        tags=tag or (),
    )


app.command("submit-benchmark", rich_help_panel=PANEL, epilog=BENCHMARK_EXAMPLES)(submit_benchmark)


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
    with connected(server, key, console, quiet=quiet) as (client, display):
        found = find_job(client, job)
        display.notify(f"Job {found.id}{f' ({found.name})' if found.name else ''}")
        ended = see_through(client, found, None, display)
    say_outcome(console, found.id, None, quiet=quiet, destination=ended.destination)


@app.command(
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud jobs
  decloud jobs --status running --json
  decloud jobs --tag wheat --tag 2021
""",
)
def jobs(
    server: Server = None,
    key: Key = None,
    status: Annotated[
        Literal["accepted", "running", "successful", "failed", "dismissed"] | None,
        typer.Option(help="Only those: accepted, running, successful, failed, dismissed.", metavar="NAME"),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Only those with it; several: with all of them.", metavar="TEXT")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many.", metavar="N", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List your jobs, newest first."""
    console = console_for()
    with connected(server, key, console, quiet=True) as (client, _):
        found = list(client.jobs(statuses=(status,) if status else (), tags=tag or (), limit=limit))
    if as_json:
        print(json.dumps([dict(job.values) for job in found], indent=2))
        return
    from api.commands.listings import job_table

    console.print(job_table(found, id_length=SHOWN_ID) if found else "No jobs.", highlight=False)


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
        connected(server, key, console, quiet=quiet) as (client, display),
        interruptible("stopped; the same command goes on from here"),
    ):
        found = find_job(client, job)
        client.download(found.id, output_path, overwrite=overwrite, on_progress=display)
    say_outcome(console, found.id, output_path, quiet=quiet)


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
    with connected(server, key, console_for(), quiet=True) as (client, _):
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
