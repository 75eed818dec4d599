"""A job may say what is to be fetched in place of an upload. Those of before have uploads."""

import sqlalchemy as sa
from alembic import op

revision = "r0008"
down_revision = "r0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds one column."""
    op.add_column("jobs", sa.Column("source", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Goes back."""
    op.drop_column("jobs", "source")
