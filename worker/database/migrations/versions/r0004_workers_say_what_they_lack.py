"""A worker says what keeps it from claiming jobs."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column more."""
    op.add_column("workers", sa.Column("lacks", sa.Text()))


def downgrade() -> None:
    """Back."""
    op.drop_column("workers", "lacks")
