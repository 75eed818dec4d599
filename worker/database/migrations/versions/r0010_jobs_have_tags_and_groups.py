"""Jobs have tags of their owners', and may be submitted as a group. Those of before have neither."""

import sqlalchemy as sa
from alembic import op

revision = "r0010"
down_revision = "r0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds two columns, an index and two tables."""
    op.add_column("jobs", sa.Column("tags", sa.JSON(none_as_null=True)))
    op.add_column("jobs", sa.Column("group_id", sa.Text()))
    op.create_index("ix_jobs_group_id", "jobs", ["group_id"])
    op.create_table(
        "job_tags",
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_tags_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tag", "job_id", name="pk_job_tags"),
    )
    op.create_index("ix_job_tags_job_id", "job_tags", ["job_id"])
    op.create_table(
        "job_groups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job_groups"),
        sa.UniqueConstraint("owner", "idempotency_key", name="uq_job_groups_owner_idempotency_key"),
    )


def downgrade() -> None:
    """Goes back."""
    op.drop_table("job_groups")
    op.drop_table("job_tags")
    op.drop_index("ix_jobs_group_id", "jobs")
    op.drop_column("jobs", "group_id")
    op.drop_column("jobs", "tags")
