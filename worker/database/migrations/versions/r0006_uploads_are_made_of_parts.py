"""An upload may be made of others, by tus' concatenation. Those of before are whole."""

import sqlalchemy as sa
from alembic import op

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds three columns."""
    op.add_column("uploads", sa.Column("concat", sa.Text()))
    op.add_column("uploads", sa.Column("parts", sa.JSON(none_as_null=True)))
    op.add_column("uploads", sa.Column("part_of", sa.Text()))
    op.create_index("ix_uploads_part_of", "uploads", ["part_of"])


def downgrade() -> None:
    """Goes back."""
    op.drop_index("ix_uploads_part_of", "uploads")
    for name in ("part_of", "parts", "concat"):
        op.drop_column("uploads", name)
