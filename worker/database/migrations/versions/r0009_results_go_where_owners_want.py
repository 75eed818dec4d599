"""A job may say where its result is to go. Those of before say nothing."""

import sqlalchemy as sa
from alembic import op

revision = "r0009"
down_revision = "r0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column and a table."""
    op.add_column("jobs", sa.Column("destination", sa.JSON(none_as_null=True)))
    op.create_table(
        "exports",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("target", sa.JSON(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("files", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("bytes", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("next_try", sa.Double()),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_exports_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name="pk_exports"),
    )
    op.create_index("ix_exports_next_try", "exports", ["next_try"])


def downgrade() -> None:
    """Goes back."""
    op.drop_table("exports")
    op.drop_column("jobs", "destination")
