"""Several workers may do the tiles of one job: a row each, while the job lives."""

import sqlalchemy as sa
from alembic import op

revision = "r0013"
down_revision = "r0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a table."""
    op.create_table(
        "job_tiles",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("tile", sa.Integer(), nullable=False),
        sa.Column("run_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("laid", sa.Boolean(), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Double()),
        sa.Column("prefix", sa.Text()),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_tiles_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "tile", name="pk_job_tiles"),
    )
    op.create_index("ix_job_tiles_laid_state", "job_tiles", ["laid", "state"])


def downgrade() -> None:
    """Goes back: each job is done by one worker."""
    op.drop_table("job_tiles")
