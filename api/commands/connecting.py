"""A server as a command has it: connected, with its progress shown, a job followed to its end, what came of it said."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.commands.options import interruptible
from seq2seq.commands import main as library

if TYPE_CHECKING:
    from rich.console import Console

    from api.client import Client, RemoteJob
    from seq2seq.commands.console import Display

SHOWN_ID = 8  # characters of a job's id, where it is named to be typed again


@contextmanager
def connected(
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


def see_through(
    client: "Client", job: "RemoteJob", out: Path | None, display: "Display", *, overwrite: bool = False
) -> "RemoteJob":
    """Until it has ended, and its result is here, and where the server was to bring it."""
    again = f"decloud watch {job.id[:SHOWN_ID]}" if out is None else f"decloud download {job.id[:SHOWN_ID]} {out}"
    with interruptible(f"job {job.id} goes on without you: {again}"):
        client.wait(job.id, on_progress=display).check_successful()
        if out is not None:
            client.download(job.id, out, overwrite=overwrite, on_progress=display)
        ended = client.wait(job.id, on_progress=display, delivered=True) if job.destination else job
        if ended.destination:
            ended.check_delivered()
        return ended


def say_outcome(
    console: "Console", job_id: str, out: Path | None, *, quiet: bool, destination: Mapping[str, Any] | None = None
) -> None:
    """Where the result is, or how to get it."""
    if quiet:
        return
    if out is None and destination:
        lines = [_delivered(destination)]
    elif out is None:
        lines = [f"Done. decloud download {job_id[:SHOWN_ID]} OUT"]
    elif not (out / "report.json").exists():  # a comparison of methods
        lines = [f"Table    {out / 'table.md'}", f"Report   {out / 'report.html'}"]
    else:
        lines = library.outcome(json.loads((out / "report.json").read_text(encoding="utf-8")), out)
    if out is not None and destination:
        lines.append(_delivered(destination))
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _delivered(destination: Mapping[str, Any]) -> str:
    """`There    s3://bucket/prefix, 31 files, 73.4 MB`, aligned with what else is said."""
    place = destination.get("href") or ", ".join(sorted(set((destination.get("put") or {}).values())))
    megabytes = (destination.get("bytes") or 0) / 1e6
    return f"There    {place}, {destination.get('files')} files, {megabytes:,.1f} MB"
