"""The first tables: people, tokens, logins that wait for their code, the journal of logins."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _people()
    _tokens()
    _challenges()
    _journal()


def _people() -> None:
    op.create_table(
        "account",
        sa.Column("subject", sa.Text, nullable=False, comment="The directory's stable id of the person, in lower case"),
        sa.Column("name", sa.Text, nullable=False, comment="The directory's spelling when last seen, for display"),
        sa.Column("failures", sa.Integer, nullable=False, comment="Failures in a row; 0 after a login or an unlock"),
        sa.Column(
            "blocked_until",
            sa.Double,
            nullable=False,
            comment="Every attempt before is refused; Infinity: until unlocked",
        ),
        sa.Column("failure_digest", sa.LargeBinary, comment="Keyed digest of the client and credentials last counted"),
        sa.Column("failure_at", sa.Double, comment="When these were counted"),
        sa.PrimaryKeyConstraint("subject", name="account_pk"),
        comment="People who have a token or a failure",
    )
    op.create_index("account_name_idx", "account", ["name"])


def _tokens() -> None:
    op.create_table(
        "token",
        sa.Column("id", sa.Text, nullable=False, comment="Our name for the token"),
        sa.Column("subject", sa.Text, nullable=False, comment="Whose it is"),
        sa.Column("kind", sa.Text, nullable=False, comment="totp or hotp"),
        sa.Column("algorithm", sa.Text, nullable=False, comment="The hash below the HMAC: SHA1, SHA256 or SHA512"),
        sa.Column("digits", sa.Integer, nullable=False, comment="The length of a code"),
        sa.Column("period", sa.Integer, nullable=False, comment="Seconds of a time step (totp)"),
        sa.Column("seed", sa.LargeBinary, nullable=False, comment="The key of the codes, sealed for this id and kind"),
        sa.Column("counter", sa.BigInteger, nullable=False, comment="Lowest counter or time step that may be accepted"),
        sa.Column("drift", sa.Integer, nullable=False, comment="The token's clock less ours, in time steps"),
        sa.Column("remembered", sa.BigInteger, comment="Counter of a good code seen outside the window, for a resync"),
        sa.Column("remembered_at", sa.Double, comment="When that code was seen"),
        sa.Column("label", sa.Text, nullable=False, comment="What people call it"),
        sa.Column("serial", sa.Text, comment="The serial number of a hardware token"),
        sa.Column("active", sa.Boolean, nullable=False, comment="Whether it may answer"),
        sa.Column("created", sa.Double, nullable=False, comment="When it was enrolled"),
        sa.Column("last_used", sa.Double, comment="When a code of it was last accepted"),
        sa.PrimaryKeyConstraint("id", name="token_pk"),
        sa.ForeignKeyConstraint(["subject"], ["account.subject"], name="token_subject_fk"),
        sa.UniqueConstraint("serial", name="token_serial_key"),
        comment="One-time-code tokens",
    )
    op.create_index("token_subject_idx", "token", ["subject"])


def _challenges() -> None:
    op.create_table(
        "challenge",
        sa.Column("id", sa.Text, nullable=False, comment="SHA-256 of the State, in hex"),
        sa.Column(
            "held",
            sa.LargeBinary,
            nullable=False,
            comment="The first leg's password, sealed under master key and State",
        ),
        sa.Column("expires", sa.Double, nullable=False, comment="When the answer comes too late"),
        sa.PrimaryKeyConstraint("id", name="challenge_pk"),
        comment="Logins that wait for their code",
    )
    op.create_index("challenge_expires_idx", "challenge", ["expires"])


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            nullable=False,
            comment="The order of writing",
        ),
        sa.Column("attempt", sa.Text, nullable=False, comment="The attempt's id in the log"),
        sa.Column("at", sa.Double, nullable=False, comment="When the request arrived"),
        sa.Column("client", sa.Text, nullable=False, comment="The RADIUS client's name in the configuration"),
        sa.Column("name", sa.Text, nullable=False, comment="The user name as typed"),
        sa.Column(
            "subject",
            sa.Text,
            comment="The person, if the name led to one; no foreign key, since the record outlives them",
        ),
        sa.Column("source", sa.Text, nullable=False, comment="Where the user sits, as the client tells it"),
        sa.Column("result", sa.Text, nullable=False, comment="accept, reject or challenge"),
        sa.Column("reason", sa.Text, comment="Why it was refused"),
        sa.Column("token", sa.Text, comment="The id of the token that answered; no foreign key, as above"),
        sa.PrimaryKeyConstraint("number", name="journal_pk"),
        comment="How every login ended",
    )
    op.create_index("journal_at_idx", "journal", ["at"])
    op.create_index("journal_subject_number_idx", "journal", ["subject", "number"])
