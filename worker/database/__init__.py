"""The database: connections to it, its tables, how they change, and what SQLite and PostgreSQL say differently."""
