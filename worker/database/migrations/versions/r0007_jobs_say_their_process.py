"""A job says which process it is of. Those of before are of the only one there was."""

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds one column."""
    op.add_column("jobs", sa.Column("process", sa.Text(), nullable=False, server_default="decloud"))


def downgrade() -> None:
    """Goes back."""
    op.drop_column("jobs", "process")
