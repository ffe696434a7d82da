"""The audit record: who and where, how long each stage took, and the chains that rows are linked to."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; every row stays, and belongs to no chain."""
    _columns(
        "journal",
        sa.Column("person", sa.Text, comment="The directory's spelling of their name, if the name led to somebody"),
        sa.Column("serial", sa.Text, comment="The serial number of the token that answered"),
        sa.Column("node", sa.Text, comment="The server that decided; null: before the chains"),
        sa.Column("queue", sa.Double, comment="Milliseconds until a thread took the request up"),
        sa.Column("look_up", sa.Double, comment="Milliseconds of the look-up in the directory"),
        sa.Column("code", sa.Double, comment="Milliseconds of looking for the rule and the code"),
        sa.Column("bind", sa.Double, comment="Milliseconds of the bind"),
        sa.Column("store", sa.Double, comment="Milliseconds of reading the store"),
    )
    _columns("act", sa.Column("node", sa.Text, comment="Where it was done; null: before the chains"))
    for table in ("journal", "act"):
        _columns(
            table,
            sa.Column("chain", sa.Integer, comment="The number of its chain; null: written before there were chains"),
            sa.Column("sequence", sa.BigInteger, comment="Its place in the chain, from 1 on"),
            sa.Column("hash", sa.LargeBinary, comment="Keyed hash of the hash before it and of this row"),
        )
        op.create_index(f"{table}_chain_sequence_idx", table, ["chain", "sequence"])
    _chains()


def _columns(table: str, *columns: sa.Column) -> None:  # type: ignore[type-arg] # of any type
    for column in columns:
        op.add_column(table, column)


def _chains() -> None:
    op.create_table(
        "chain",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False, comment="From 1 on, without a gap"),
        sa.Column(
            "writer",
            sa.Text,
            nullable=False,
            comment="Who writes: node, role and connection; before: nobody, see there",
        ),
        sa.Column("book", sa.Text, nullable=False, comment="The table of its rows: journal or act"),
        sa.Column(
            "sequence",
            sa.BigInteger,
            nullable=False,
            comment="The last row's; before: the highest number without a chain",
        ),
        sa.Column("hash", sa.LargeBinary, nullable=False, comment="The last row's; empty where there was none yet"),
        sa.Column("seal", sa.LargeBinary, nullable=False, comment="Keyed hash of all that is to the left"),
        sa.Column(
            "anchor_sequence",
            sa.BigInteger,
            nullable=False,
            comment="The last row's that was removed for its age, 0 for none; before: how many rows have no chain",
        ),
        sa.Column("anchor_hash", sa.LargeBinary, nullable=False, comment="The same row's; empty for none"),
        sa.Column("anchor_seal", sa.LargeBinary, nullable=False, comment="Keyed hash of the anchor"),
        sa.PrimaryKeyConstraint("number", name="chain_pk"),
        sa.UniqueConstraint("writer", "book", name="chain_writer_key"),
        comment="The chains that the rows of journal and act are linked to, so that none is changed unseen",
    )
