"""The tables. They change through `worker.database.migrations` alone; a test compares the two.

Times are seconds since 1970 (UTC) by the clock of whoever wrote them. Order never rests on them: `jobs.number` and
`job_events.id` count up by themselves.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows only in a column of type INTEGER.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# One row for each owner who ever submitted or uploaded. Locked while a quota is checked. `served`: the number of the
# last claim that went to this owner, which makes owners take turns.
owners = Table(
    "owners",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("served", BigInteger, nullable=False, server_default="0"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("name", Text),
    Column("status", Text, nullable=False),
    # What is asked for. process: the name of the OGC process.
    Column("process", Text, nullable=False, server_default="decloud"),
    Column("params", JSON, nullable=False),
    Column("input_id", Text),
    # Of an input that is fetched and no upload: {"href"}, {"area", "dates", "catalog"} or {"sample"};
    # max_bytes: what it may have.
    Column("source", JSON(none_as_null=True)),
    Column("priority", Integer, nullable=False),
    Column("resource_class", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("request_sha256", Text, nullable=False),
    Column("subscriber", JSON(none_as_null=True)),
    # Which outputs its results show, and how: {"response": "document" | "raw", "outputs": {ID: "value" | "reference"}};
    # null: all, as links.
    Column("delivery", JSON(none_as_null=True)),
    # Where its result is to go beside our own storage, as its owner may see it, and how far that has come.
    Column("destination", JSON(none_as_null=True)),
    # Its owner's words, as in `job_tags`, where they are looked for; and the group that it was submitted with.
    Column("tags", JSON(none_as_null=True)),
    Column("group_id", Text),
    # Limits as they were at submission, so that a claim needs no settings.
    Column("max_attempts", Integer, nullable=False),
    Column("max_running", Integer, nullable=False),
    Column("keep_s", Double, nullable=False),
    Column("max_pixels_dates", Double),
    Column("max_run_s", Double),
    # Progress, as last reported.
    Column("phase", Text),
    Column("progress", JSON(none_as_null=True)),
    Column("message", Text),
    # Lease. `attempt` only ever counts up: with lease_owner it is the fence. `refunds`: attempts that do not count;
    # all so far, once one of them has stored a newer checkpoint than it began with.
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("refunds", Integer, nullable=False, server_default="0"),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Column("cancel_requested_at", Double),
    Column("not_before", Double),
    Column("last_ring_at", Double),
    Column("checkpoint", Text),
    Column("retry", JSON(none_as_null=True)),
    # Times.
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("finished", Double),
    Column("updated", Double, nullable=False),
    Column("expires", Double),
    # How it ended.
    Column("error", JSON(none_as_null=True)),
    Column("usage", JSON(none_as_null=True)),
    Column("result_prefix", Text),
    Column("result_bytes", BigInteger),
    # What a finished result claims, as in its report.
    Column("gain", JSON(none_as_null=True)),
    UniqueConstraint("owner", "idempotency_key"),
    Index(None, "status", "resource_class"),
    Index(None, "owner", "number"),
    Index(None, "owner", "status", "number"),
    Index(None, "owner", "result_bytes"),
    Index(None, "input_id"),
    Index(None, "group_id"),
    Index(None, "expires"),
    sqlite_autoincrement=True,
)

job_tags = Table(
    "job_tags",
    metadata,
    Column("tag", Text, primary_key=True),
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "job_id"),
)

# Jobs that were submitted together. One whose jobs have all been removed is nobody's any more.
job_groups = Table(
    "job_groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("name", Text),
    Column("created", Double, nullable=False),
    Column("idempotency_key", Text),
    Column("request_sha256", Text, nullable=False),
    UniqueConstraint("owner", "idempotency_key"),
)

# The user's log, the training curve and what Server-Sent Events replay; the id is theirs.
job_events = Table(
    "job_events",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("ts", Double, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Index(None, "job_id", "id"),
    sqlite_autoincrement=True,
)

# Files of a successful job, below jobs.result_prefix. crc32 is for the ZIP, whose length and sums must be known first.
artifacts = Table(
    "artifacts",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("date", Text),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("crc32", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
)

# length is null while a sender has not said it; state: receiving | complete. By tus, an upload may be made of others:
# `concat` is what a partial or final one said of itself, `parts` the ids that a final one is made of, in order, and
# `part_of` the final one that has taken a partial one and counts its bytes.
uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("name", Text),
    Column("length", BigInteger),
    Column("offset", BigInteger, nullable=False),
    Column("sha256", Text),
    Column("state", Text, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("concat", Text),
    Column("parts", JSON(none_as_null=True)),
    Column("part_of", Text),
    Index(None, "owner"),
    Index(None, "expires"),
    Index(None, "part_of"),
)

# Storage prefixes nobody refers to any more. Written in the transaction that drops the reference, taken out when the
# files are gone: a crash in between leaves no orphan. Not deleted before `due`: a thawed worker may still be writing.
garbage = Table(
    "garbage",
    metadata,
    Column("prefix", Text, primary_key=True),
    Column("due", Double, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("memory_mb", Integer),
    Column("classes", JSON, nullable=False),
    Column("job_id", Text),
    # What keeps it from claiming jobs.
    Column("lacks", Text),
    Column("started", Double, nullable=False),
    Column("last_seen", Double, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("name", Text),
    Column("quota", JSON, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("revoked", Double),
    Column("last_used", Double),
    Index(None, "owner"),
)

# Browsers that stay signed in, by the key that was shown; of their tokens the SHA-256.
logins = Table(
    "logins",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("key_id", Text, ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Index(None, "key_id"),
)

# Notices that are still to be delivered. They outlive their job: who removes it is told of its end all the same.
webhook_outbox = Table(
    "webhook_outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("body", JSON, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_try", Double, nullable=False),
    Column("last_error", Text),
    Index(None, "next_try"),
)

# Tiles of running jobs that several workers share, of the job's run with this key: another run has other tiles. state:
# open | taken | done. laid: its input is in the storage, so that others than the job's own worker can do it; own: only
# that one may. owner and attempt, which only counts up, are the fence; prefix: of its arrays, where another worker has
# done it.
job_tiles = Table(
    "job_tiles",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("tile", Integer, primary_key=True),
    Column("run_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("laid", Boolean, nullable=False),
    Column("own", Boolean, nullable=False),
    Column("owner", Text),
    Column("attempt", Integer, nullable=False),
    Column("lease_until", Double),
    Column("prefix", Text),
    Index(None, "laid", "state"),
)

# Results that are to go where their owners want them, until they are there or given up. target: with what nobody is
# shown, such as presigned addresses. attempt only counts up and is the fence; tries: in a row, none of which got any
# further; files, bytes: what is there already. next_try is null until there is a result.
exports = Table(
    "exports",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("target", JSON, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("files", Integer, nullable=False, server_default="0"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    Column("next_try", Double),
    Index(None, "next_try"),
)
