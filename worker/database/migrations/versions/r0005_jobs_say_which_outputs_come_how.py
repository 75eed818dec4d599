"""A job keeps which outputs were asked for, and how they are to come. Those of before show all, by reference."""

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds one column."""
    op.add_column("jobs", sa.Column("delivery", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    """Goes back."""
    op.drop_column("jobs", "delivery")
