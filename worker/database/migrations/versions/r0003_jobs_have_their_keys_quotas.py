"""A job keeps how large it may be and how long it may run, as its key's quota says.

Jobs of before have neither, and go by the worker's settings.
"""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds two columns."""
    op.add_column("jobs", sa.Column("max_pixels_dates", sa.Double()))
    op.add_column("jobs", sa.Column("max_run_s", sa.Double()))


def downgrade() -> None:
    """Goes back."""
    op.drop_column("jobs", "max_run_s")
    op.drop_column("jobs", "max_pixels_dates")
