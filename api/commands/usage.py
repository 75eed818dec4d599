"""`decloud usage`: what you use of a server, and what is left."""

import json
from typing import Annotated, Any

import typer

from api.commands.connecting import connected
from api.commands.options import PANEL, Key, Server, console_for

app = typer.Typer()

_SHARES = {"stored_bytes": "Stored", "queued": "Waiting", "running": "Running"}
_GB = 1e9


@app.command(
    rich_help_panel=PANEL,
    epilog="""
[bold]Examples[/]
  decloud usage
  decloud usage --json
""",
)
def usage(
    server: Server = None,
    key: Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what you use of a server, and what is left."""
    console = console_for()
    with connected(server, key, console, quiet=True) as (client, _):
        found = client.usage()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for line in _lines(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{title:<9}{_share(name, found.get(name) or {})}" for name, title in _SHARES.items()]
    recent = found.get("last_30_days") or {}
    jobs = ", ".join(f"{count} {status}" for status, count in sorted((recent.get("jobs") or {}).items())) or "no jobs"
    lines.append(f"{'Uploads':<9}{found.get('uploads', 0)}")
    lines.append(f"{'30 days':<9}{jobs}; {float(recent.get('run_s') or 0) / 60:,.0f} minutes")
    return lines


def _share(name: str, share: dict[str, Any]) -> str:
    used, limit, left = (share.get(each) or 0 for each in ("used", "limit", "left"))
    if name == "stored_bytes":
        return f"{used / _GB:,.2f} of {limit / _GB:,.0f} GB, {left / _GB:,.2f} GB left"
    return f"{used} of {limit}, {left} left"
