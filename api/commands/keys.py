"""`decloud keys`: who may come in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.options import Data, console_for, settings_from
from seq2seq.errors import ConfigError

if TYPE_CHECKING:
    from worker.database.connections import Database

app = typer.Typer(no_args_is_help=True, help="API keys of a service: run where its data folder or database is.")


@app.command(
    epilog="""
[bold]Examples[/]
  decloud keys create ann
  decloud keys create ann --name laptop --expires-days 90
  decloud keys create guest --quota max_queued_per_owner=2 --quota max_run_s=1800
"""
)
def create(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Whose jobs and files it opens.")],
    data: Data = None,
    name: Annotated[str | None, typer.Option(help="To tell keys of one owner apart.", metavar="TEXT")] = None,
    expires_days: Annotated[float | None, typer.Option(help="Default: never.", metavar="N")] = None,
    quota: Annotated[
        list[str] | None,
        typer.Option(help="A figure of its own in place of the service's setting; may be repeated.", metavar="NAME=N"),
    ] = None,
) -> None:
    """Make a key and print it. It is not kept and cannot be shown again."""
    with _database(data) as database:
        from worker.access import keys as service_keys

        expires_s = None if expires_days is None else expires_days * 86_400
        made, text = service_keys.create(
            database, owner=owner, name=name, quota=_quota(quota or []), expires_s=expires_s
        )
    print(text)
    print(f"Key {made.id} of {made.owner}; it is shown this once.", file=sys.stderr)


@app.command(
    "list",
    epilog="""
[bold]Examples[/]
  decloud keys list
""",
)
def list_keys(data: Data = None) -> None:
    """List all keys, without their secrets."""
    with _database(data) as database:
        from worker.access import keys as service_keys

        found = service_keys.listing(database)
    from api.commands.listings import key_table

    console_for().print(key_table(found) if found else "No keys.", highlight=False)


@app.command(
    epilog="""
[bold]Examples[/]
  decloud keys revoke 0f3a9c21b7de
"""
)
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The part between dcl_ and the next _.")],
    data: Data = None,
) -> None:
    """Let nobody in with this key any more."""
    with _database(data) as database:
        from worker.access import keys as service_keys

        revoked = service_keys.revoke(database, key_id)
    print(f"Key {revoked.id} of {revoked.owner} is revoked; a server that runs knows within 5 s.")


def _quota(given: list[str]) -> dict[str, int]:
    """NAME=N each. Raises `ConfigError`; which names there are, `quotas.check_names` knows."""
    found: dict[str, int] = {}
    for text in given:
        name, _, number = text.partition("=")
        if not number.strip().isdecimal():
            raise ConfigError(f"--quota {text}: must be NAME=N with a whole number, such as max_queued_per_owner=2")
        found[name.strip()] = int(number)
    return found


@contextmanager
def _database(data: Path | None) -> Iterator["Database"]:
    """The service's, which must be there already."""
    from worker.database.connections import Database
    from worker.database.migrate import migrate

    settings = settings_from(data=data)
    database = Database(settings.database_url)
    if database.is_sqlite and not Path(database.engine.url.database or "").exists():
        raise ConfigError(f"{settings.data}: holds no service; decloud serve --data {settings.data} makes one")
    try:
        migrate(database)
        yield database
    finally:
        database.close()
