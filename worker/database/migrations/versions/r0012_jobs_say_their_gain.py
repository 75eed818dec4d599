"""A finished job says its gain itself, so that lists need not open every report. Those of before do not."""

import sqlalchemy as sa
from alembic import op

revision = "r0012"
down_revision = "r0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column."""
    op.add_column("jobs", sa.Column("gain", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    """Goes back."""
    op.drop_column("jobs", "gain")
