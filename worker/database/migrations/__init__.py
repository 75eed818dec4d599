"""Changes of the tables, oldest first, run by `worker.database.migrate`."""
