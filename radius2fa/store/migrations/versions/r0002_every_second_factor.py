"""Every second factor: YubiKeys, issued codes, a stock, validity, bypasses, places, acts of administration."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; every row stays."""
    op.add_column(
        "account",
        sa.Column(
            "code_failures",
            sa.Integer,
            nullable=False,
            server_default="0",
            comment="Those of them in which a code was wrong; a login without a code leaves them",
        ),
    )
    op.execute("UPDATE account SET code_failures = failures")  # which they were is not known
    op.add_column(
        "account",
        sa.Column("bypass_until", sa.Double, comment="No second factor is asked for before; null: it always is"),
    )
    _tokens()
    _places()
    op.add_column("journal", sa.Column("policy", sa.Text, comment="The rule that was applied"))
    op.add_column(
        "journal",
        sa.Column("factor", sa.Text, comment="The kind of the second factor, or why none was asked for"),
    )
    _acts()
    if op.get_context().dialect.supports_comments:  # SQLite's does not
        _new_meanings()


def _tokens() -> None:
    # SQLite cannot make a column nullable: the batch copies the rows into a new table, in the same transaction.
    with op.batch_alter_table("token") as token:
        token.alter_column("subject", existing_type=sa.Text, nullable=True)
        token.add_column(
            sa.Column("public_id", sa.Text, comment="What stands in front of the codes, in modhex (yubikey)")
        )
        token.add_column(sa.Column("valid_from", sa.Double, comment="It may not answer before"))
        token.add_column(sa.Column("valid_until", sa.Double, comment="It may not answer from then on"))
        token.add_column(sa.Column("uses", sa.Integer, comment="How often an issued code may be used; null for tokens"))
        token.create_unique_constraint("token_public_id_key", ["public_id"])
        token.create_index("token_valid_until_idx", ["valid_until"])


def _new_meanings() -> None:
    op.create_table_comment("account", "People who have a token or a code, a failure or a bypass")
    op.create_table_comment("token", "One-time-code tokens, and codes that were handed out")
    for column, comment in _OF_TOKENS.items():
        op.alter_column("token", column, comment=comment)


_OF_TOKENS = {
    "subject": "Whose it is; null: it is in the stock",
    "kind": "totp, hotp, yubikey, recovery or temporary",
    "algorithm": "The hash below the HMAC: SHA1, SHA256 or SHA512 (totp, hotp)",
    "digits": "The length of a code (totp, hotp)",
    "seed": "What codes are checked with: sealed for this id and kind, or the keyed digest of an issued code",
    "counter": "Lowest counter that may be accepted; an issued code's uses",
}


def _places() -> None:
    op.create_table(
        "place",
        sa.Column("place", sa.Text, nullable=False, comment="An address of users, or a client that tells none"),
        sa.Column("failures", sa.Integer, nullable=False, comment="Names in a row that do not exist"),
        sa.Column("blocked_until", sa.Double, nullable=False, comment="Every attempt from there before is refused"),
        sa.Column("failure_digest", sa.LargeBinary, comment="Keyed digest of the name last counted"),
        sa.Column("failure_at", sa.Double, nullable=False, comment="When it was counted"),
        sa.PrimaryKeyConstraint("place", name="place_pk"),
        comment="Where names that do not exist are tried from",
    )
    op.create_index("place_failure_at_idx", "place", ["failure_at"])


def _acts() -> None:
    op.create_table(
        "act",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            nullable=False,
            comment="The order of writing",
        ),
        sa.Column("at", sa.Double, nullable=False, comment="When it was done"),
        sa.Column("who", sa.Text, nullable=False, comment="Who did it"),
        sa.Column("what", sa.Text, nullable=False, comment="What was done, in a word"),
        sa.Column(
            "subject",
            sa.Text,
            comment="The person that it was done to; no foreign key, since the act outlives them",
        ),
        sa.Column("name", sa.Text, comment="Their name, as the directory spelled it then"),
        sa.Column("token", sa.Text, comment="The id of the token or code; no foreign key, as above"),
        sa.Column("detail", sa.Text, nullable=False, comment="More of it, for people"),
        sa.PrimaryKeyConstraint("number", name="act_pk"),
        comment="What administrators did",
    )
    op.create_index("act_subject_number_idx", "act", ["subject", "number"])
