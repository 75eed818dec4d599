"""From a sequence here to its result here, by a job on a server: what every command that submits one does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from api.commands.connecting import connected, say_outcome, see_through
from api.commands.options import console_for, interruptible
from seq2seq.apart import check_apart
from seq2seq.errors import ConfigError


# long: it has a parameter for each option of the commands.
def submit_sequence(
    input_path: Path,
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

    settings: those of the process that differ. to: where the server brings the result as well. Raises `ConfigError`,
    `OutputError` or `CannotStore` before anything is sent, then what a client raises.
    """
    if detach and output_path is not None:
        raise ConfigError("--detach does not wait for a result, so there is none for OUT; leave one of them out")
    if to is not None and not to.startswith("s3://"):
        raise ConfigError(f"--to {to}: must be of the form s3://BUCKET/PREFIX")
    if output_path is not None:
        check_apart(input_path, output_path, output_path.absolute().with_name(f"{output_path.name}.part"))
    console = console_for(stderr=detach)
    with connected(server, key, console, quiet=quiet) as (client, display):
        if output_path is not None:
            _check_folder(output_path, overwrite)  # before anything is sent: a wrong folder is said at once
        with interruptible("stopped; the same command goes on with the upload"):
            upload = client.upload(input_path, on_progress=display)
        called = name or input_path.absolute().name or None
        place = {"href": to} if to else None
        about: dict[str, Any] = {"name": called, "priority": priority, "destination": place, "tags": tags}
        job = client.submit(upload, settings, process=process, **about)
        if detach:
            print(job.id)
            return
        display.notify(f"Job {job.id}")
        there = see_through(client, job, output_path, display, overwrite=overwrite)
    say_outcome(console, job.id, output_path, quiet=quiet, destination=there.destination)


def _check_folder(out: Path, overwrite: bool) -> None:
    from api.client.downloading import check_folder

    check_folder(out, overwrite)
