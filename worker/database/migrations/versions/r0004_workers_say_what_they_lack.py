"""A worker says what keeps it from claiming jobs."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds one column."""
    op.add_column("workers", sa.Column("lacks", sa.Text()))


def downgrade() -> None:
    """Goes back."""
    op.drop_column("workers", "lacks")
