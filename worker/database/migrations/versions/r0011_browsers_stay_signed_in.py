"""A browser may stay signed in: by a token, of which its hash is kept, and the key that was shown."""

import sqlalchemy as sa
from alembic import op

revision = "r0011"
down_revision = "r0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a table."""
    op.create_table(
        "logins",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_logins_key_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name="pk_logins"),
    )
    op.create_index("ix_logins_key_id", "logins", ["key_id"])


def downgrade() -> None:
    """Goes back: everybody is signed out."""
    op.drop_table("logins")
