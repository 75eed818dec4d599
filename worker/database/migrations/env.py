"""What Alembic runs: on the connection and in the transaction that `worker.database.migrate` holds."""

from alembic import context

from worker.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Both databases can take a table back. All revisions at once, or none.
    transactional_ddl=True,
    # SQLite changes a column by copying the table.
    render_as_batch=True,
)
context.run_migrations()
