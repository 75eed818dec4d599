"""Notices know owner and receiver; those that are delivered do not stay."""

from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

_OUTBOX = "webhook_outbox"
_JOBS = sa.table("jobs", sa.column("id", sa.Text()), sa.column("owner", sa.Text()))


def upgrade() -> None:
    """Adds the owner. Notices of removed jobs go: whose they were is not known."""
    before = sa.table(_OUTBOX, sa.column("job_id", sa.Text()), sa.column("delivered", sa.Boolean()), *_columns())
    pending = sa.select(before, _JOBS.c.owner).join(_JOBS, _JOBS.c.id == before.c.job_id).where(~before.c.delivered)
    kept = _rows(pending)
    op.drop_table(_OUTBOX)
    table = op.create_table(
        _OUTBOX,
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        *_columns(),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_outbox"),
    )
    op.create_index("ix_webhook_outbox_next_try", _OUTBOX, ["next_try"])
    _insert(table, [{**row, "host": urlsplit(row["url"]).netloc} for row in kept])


def downgrade() -> None:
    """Goes back."""
    kept = _rows(sa.select(sa.table(_OUTBOX, sa.column("job_id", sa.Text()), *_columns())))
    op.drop_table(_OUTBOX)
    table = op.create_table(
        _OUTBOX,
        sa.Column("job_id", sa.Text(), nullable=False),
        *_columns(),
        sa.Column("delivered", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_outbox"),
    )
    op.create_index("ix_webhook_outbox_delivered_next_try", _OUTBOX, ["delivered", "next_try"])
    _insert(table, kept)


def _columns() -> list[sa.Column[Any]]:
    """What stays as it is."""
    return [
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try", sa.Double(), nullable=False),
        sa.Column("last_error", sa.Text()),
    ]


def _rows(query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in op.get_bind().execute(query).mappings()]


def _insert(table: sa.Table, rows: list[dict[str, Any]]) -> None:
    names = [column.name for column in table.columns]
    if rows:
        op.bulk_insert(table, [{name: row[name] for name in names if name in row} for row in rows])
