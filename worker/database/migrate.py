"""Bring a database to the tables this release works with. Harmless when nothing is to be done."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from worker.database.connections import Database
from worker.database.sql import MIGRATION_LOCK, one_at_a_time
from worker.errors import DatabaseTooNew


def migrate(database: Database) -> None:
    """Run what is missing, in one transaction. Of several processes that start at once one does it, the others wait.

    Raises `DatabaseTooNew` where a later release has been at work: its tables are not for this one.
    """
    config = Config()
    config.set_main_option("script_location", "worker.database:migrations")
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    with database.begin() as connection:
        one_at_a_time(connection, MIGRATION_LOCK)
        found = MigrationContext.configure(connection).get_current_revision()
        if found == scripts.get_current_head():
            return
        if found is not None and found not in known:
            raise DatabaseTooNew(
                f"the database is at revision {found}, this release knows up to {scripts.get_current_head()}: "
                "use the release that made it, or a later one",
                found=found,
                known=scripts.get_current_head(),
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
