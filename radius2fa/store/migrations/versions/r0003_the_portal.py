"""The portal: its sessions, passkeys among the tokens, and the reasons that are given for acts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; every row stays."""
    op.add_column(
        "act",
        sa.Column("why", sa.Text, nullable=False, server_default="", comment="The reason that was given for it"),
    )
    _sessions()
    if op.get_context().dialect.supports_comments:  # SQLite's does not
        _new_meanings()


def _sessions() -> None:
    op.create_table(
        "session",
        sa.Column("id", sa.Text, nullable=False, comment="SHA-256 of the cookie's token, in hex"),
        sa.Column("subject", sa.Text, nullable=False, comment="Who signed in; no foreign key, not all have an account"),
        sa.Column("name", sa.Text, nullable=False, comment="The directory's spelling of their name"),
        sa.Column("typed", sa.Text, nullable=False, comment="The user name as typed"),
        sa.Column(
            "factor", sa.Text, nullable=False, comment="The kind of the second factor, or why none was asked for"
        ),
        sa.Column("created", sa.Double, nullable=False, comment="When they signed in"),
        sa.Column("seen", sa.Double, nullable=False, comment="When the session was last used, to the minute"),
        sa.Column("until", sa.Double, nullable=False, comment="When it ends, however much it is used"),
        sa.Column("proved", sa.Double, comment="When a second factor was last shown; null: none was"),
        sa.Column("by_passkey", sa.Double, comment="When a passkey was last shown; null: none was"),
        sa.Column("source", sa.Text, nullable=False, comment="The address that they signed in from"),
        sa.Column("agent", sa.Text, nullable=False, comment="What their browser calls itself"),
        sa.Column(
            "held", sa.LargeBinary, nullable=False, comment="What waits in it, sealed under master key and token"
        ),
        sa.PrimaryKeyConstraint("id", name="session_pk"),
        comment="Who is signed in to the portal",
    )
    op.create_index("session_subject_idx", "session", ["subject"])
    op.create_index("session_until_idx", "session", ["until"])


def _new_meanings() -> None:
    op.create_table_comment("token", "One-time-code tokens, passkeys, and codes that were handed out")
    op.create_table_comment("act", "What administrators did, and people for themselves")
    for column, comment in _OF_TOKENS.items():
        op.alter_column("token", column, comment=comment)


_OF_TOKENS = {
    "kind": "totp, hotp, yubikey, webauthn, or of codes: recovery, temporary, passkey, invitation",
    "seed": "What codes or a passkey are checked with, sealed for this id and kind; an issued code's keyed digest",
    "counter": "Lowest counter that may be accepted; an issued code's uses; signatures that a passkey last told",
    "public_id": "What is before the codes, in modhex (yubikey); credential id, base64url (webauthn)",
}
