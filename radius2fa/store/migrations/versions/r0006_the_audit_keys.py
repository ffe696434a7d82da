"""Audit keys: what proves the rows of master keys that are out of use."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; every row stays."""
    op.create_table(
        "audit_key",
        sa.Column("name", sa.Text, nullable=False, comment="The name of the master key that it was made from"),
        sa.Column(
            "sealed", sa.LargeBinary, nullable=False, comment="The audit key, sealed for this name under a master key"
        ),
        sa.PrimaryKeyConstraint("name", name="audit_key_pk"),
        comment="What proves the rows of master keys that are out of use",
    )
