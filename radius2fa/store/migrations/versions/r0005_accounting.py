"""Accounting: what clients report of sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; every row stays."""
    op.create_table(
        "accounting",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            nullable=False,
            comment="The order of writing",
        ),
        sa.Column("at", sa.Double, nullable=False, comment="When the request arrived"),
        sa.Column("client", sa.Text, nullable=False, comment="The RADIUS client's name in the configuration"),
        sa.Column("name", sa.Text, nullable=False, comment="The user name that the client tells"),
        sa.Column(
            "status",
            sa.Text,
            nullable=False,
            comment="start, stop, interim-update, accounting-on or accounting-off",
        ),
        sa.Column("session", sa.Text, nullable=False, comment="Acct-Session-Id: the client's name for the session"),
        sa.Column(
            "login",
            sa.Text,
            nullable=False,
            comment="Class: journal.attempt of the login, where server.send_class is on",
        ),
        sa.Column("input_octets", sa.BigInteger, comment="Octets from the user"),
        sa.Column("output_octets", sa.BigInteger, comment="Octets to the user"),
        sa.Column("seconds", sa.BigInteger, comment="How long the session has lasted"),
        sa.Column("cause", sa.Text, nullable=False, comment="Why it ended"),
        sa.Column("address", sa.Text, comment="The user's address in the session"),
        sa.Column("source", sa.Text, nullable=False, comment="Where the user sits, as the client tells it"),
        sa.PrimaryKeyConstraint("number", name="accounting_pk"),
        comment="What clients report of sessions",
    )
    op.create_index("accounting_at_idx", "accounting", ["at"])
    op.create_index("accounting_name_number_idx", "accounting", ["name", "number"])
