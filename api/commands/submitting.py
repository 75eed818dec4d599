"""From a sequence here to its result here, by a job on a server: what every command that submits one does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.commands.connecting import connected, say_outcome, see_through
from api.commands.options import console_for, interruptible
from seq2seq.apart import check_apart
from seq2seq.errors import ConfigError

if TYPE_CHECKING:
    from api.client import Client, Upload
    from seq2seq.commands.console import Display


# long: it has a parameter for each option of the commands.
def submit_sequence(
    sequence: Path | Mapping[str, Any],
    output_path: Path | None,
    process: str,
    settings: Mapping[str, Any],
    *,
    server: str | None,
    key: str | None,
    name: str | None,
    priority: int,
    detach: bool,
    overwrite: bool,
    quiet: bool,
    to: str | None = None,
    tags: Sequence[str] = (),
) -> None:
    """Uploads, submits, waits and downloads; without OUT only waits; detached only prints the job's id.

    sequence: to upload; or what the server is to fetch, see `asked_of`. settings: those of the process that differ. to:
    where the server brings the result as well. Raises `ConfigError`, `OutputError` or `CannotStore` before anything is
    sent, then what a client raises.
    """
    _check_places(output_path, to, detach=detach)
    if output_path is not None and isinstance(sequence, Path):
        check_apart(sequence, output_path, output_path.absolute().with_name(f"{output_path.name}.part"))
    console = console_for(stderr=detach)
    with connected(server, key, console, quiet=quiet) as (client, display):
        if output_path is not None:
            _check_folder(output_path, overwrite)  # before anything is sent: a wrong folder is said at once
        if isinstance(sequence, Path):
            name = name or sequence.absolute().name or None
        sent, place = _sent(client, sequence, display), {"href": to} if to else None
        about: dict[str, Any] = {"name": name, "priority": priority, "destination": place, "tags": tags}
        job = client.submit(sent, settings, process=process, **about)
        if detach:
            print(job.id)
            return
        display.notify(f"Job {job.id}")
        there = see_through(client, job, output_path, display, overwrite=overwrite)
    say_outcome(console, job.id, output_path, quiet=quiet, destination=there.destination)


def _check_places(out: Path | None, to: str | None, *, detach: bool) -> None:
    """Whether they can be what they are, whatever the server says."""
    if detach and out is not None:
        raise ConfigError("--detach does not wait for a result, so there is none for OUT; leave one of them out")
    if to is not None and not to.startswith("s3://"):
        raise ConfigError(f"--to {to}: must be of the form s3://BUCKET/PREFIX")


def asked_of(
    input_path: Path | None,
    output_path: Path | None,
    *,
    href: str | None,
    area: str | None,
    period: str | None,
    catalog: str | None,
    sample: str | None,
) -> tuple[Path | dict[str, Any], Path | None]:
    """The sequence, and OUT: where the server fetches or simulates there is no INPUT, and what is named first is OUT.

    Raises `ConfigError` for options that do not go together, or that no server would take.
    """
    if sample is not None:
        if output_path is not None or any(other is not None for other in (href, area, period, catalog)):
            raise ConfigError("with --sample there is no other input; give OUT alone")
        return {"sample": sample}, input_path
    if href is None and area is None:
        if period is not None or catalog is not None:
            raise ConfigError("--period and --catalog are of an --area; give --area W,S,E,N, or a GeoJSON file")
        if input_path is None:
            raise ConfigError("give INPUT, or --href or --area for what the server is to fetch, or --sample fields")
        return input_path, output_path
    if output_path is not None:
        raise ConfigError(f"{output_path}: with --href or --area there is no INPUT to upload; give OUT alone")
    if href is not None:
        if area is not None or period is not None or catalog is not None:
            raise ConfigError("--href and --area, --period or --catalog exclude each other")
        return {"href": href}, input_path
    assert area is not None
    if period is None:
        raise ConfigError("--area needs --period, such as 2021-05-01/2021-10-31")
    return _area(area, period, catalog), input_path


def _sent(client: "Client", sequence: Path | Mapping[str, Any], display: "Display") -> "Upload | Mapping[str, Any]":
    """The upload of a file or folder; what the server fetches as it is."""
    if not isinstance(sequence, Path):
        return sequence
    with interruptible("stopped; the same command goes on with the upload"):
        return client.upload(sequence, on_progress=display)


def _area(area: str, period: str, catalog: str | None) -> dict[str, Any]:
    """As a request names it; a file of GeoJSON is read here."""
    from seq2seq.fetching.extent import parse_area, parse_period

    asked = {"area": list(parse_area(area).bounds), "dates": str(parse_period(period))}
    return {**asked, **({} if catalog is None else {"catalog": catalog})}


def _check_folder(out: Path, overwrite: bool) -> None:
    from api.client.downloading import check_folder

    check_folder(out, overwrite)
