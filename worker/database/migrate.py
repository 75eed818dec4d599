"""Bring a database to the tables this release works with. Harmless when nothing is to be done."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DatabaseError

from worker.database.connections import Database
from worker.database.sql import MIGRATION_LOCK, one_at_a_time
from worker.database.sqlite_file import refuse_foreign
from worker.database.tables import metadata
from worker.errors import DatabaseTooNew, ForeignDatabase


def migrate(database: Database) -> None:
    """Runs what is missing, in one transaction. Of several processes that start at once one does it, the others wait.

    SQLite's file is made here, where there is none, and nowhere else. Raises `DatabaseTooNew` where a later release has
    been at work: its tables are not for this one; `ForeignDatabase` where another program has, or it is no database.
    """
    database.create()
    try:
        _migrate(database)
    except DatabaseError as error:
        reason = str(error.orig).partition("\n")[0]
        raise ForeignDatabase(f"{database.engine.url.database}: is no database of ours ({reason})") from error


def _migrate(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", "worker.database:migrations")
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    with database.begin() as connection:
        one_at_a_time(connection, MIGRATION_LOCK)
        found = MigrationContext.configure(connection).get_current_revision()
        if found == scripts.get_current_head():
            return
        _refuse_foreign(connection, found)
        if found is not None and found not in known:
            raise DatabaseTooNew(
                f"the database is at revision {found}, this release knows up to {scripts.get_current_head()}: "
                "use the release that made it, or a later one",
                found=found,
                known=scripts.get_current_head(),
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _refuse_foreign(connection: Connection, found: str | None) -> None:
    """A PostgreSQL database may be shared, but not the names of our tables."""
    url = connection.engine.url
    names = inspect(connection).get_table_names()
    if connection.dialect.name != "sqlite":
        names = [name for name in names if name in metadata.tables]
    refuse_foreign(str(url.database), names, [] if found is None else [found])
