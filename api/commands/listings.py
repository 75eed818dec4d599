"""Lists for people."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from api.client.jobs import RemoteJob

if TYPE_CHECKING:
    from worker.access.keys import Key

_COLOURS = {"running": "cyan", "successful": "green", "failed": "red", "dismissed": "dim"}


def job_table(jobs: Sequence[RemoteJob], *, id_length: int) -> Table:
    """A table with a line for each job."""
    table = _table("job", "process", "status", "done", "submitted", "name", "from", "")
    for job in jobs:
        colour = _COLOURS.get(job.status)
        status = f"[{colour}]{escape(job.status)}[/]" if colour else escape(job.status)
        done = f"{job.values.get('progress', 0)} %" if job.status == "running" else ""
        submitted = str(job.values.get("created", ""))[:16].replace("T", " ")
        message = job.message if job.status in ("accepted", "running", "failed") else ""
        process, name = escape(str(job.values.get("processID", ""))), escape(job.name or "")
        table.add_row(job.id[:id_length], process, status, done, submitted, name, escape(job.source), escape(message))
    return table


def key_table(keys: "Sequence[Key]") -> Table:
    """A table with a line for each key."""
    table = _table("id", "owner", "name", "made", "last used", "")
    for key in keys:
        state = "revoked" if key.revoked is not None else _date(key.expires, "expires ")
        table.add_row(
            key.id, escape(key.owner), escape(key.name or ""), _date(key.created), _date(key.last_used), state
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _date(seconds: float | None, before: str = "") -> str:
    return "" if seconds is None else before + datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
