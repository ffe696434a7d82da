"""Owns the shape of the tables, column by column, and the list of their revisions.

Times are Unix seconds. Migrations (`migrations/versions/`) bring a database to this shape; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

REVISIONS = ("0001",)
HEAD = REVISIONS[-1]

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)

account = Table(
    "account",
    metadata,
    Column("subject", Text, primary_key=True, comment="The directory's stable id of the person, in lower case"),
    Column("name", Text, nullable=False, index=True, comment="The directory's spelling when last seen, for display"),
    Column("failures", Integer, nullable=False, comment="Failures in a row; 0 after a login or an unlock"),
    Column(
        "blocked_until", Double, nullable=False, comment="Every attempt before is refused; Infinity: until unlocked"
    ),
    Column("failure_digest", LargeBinary, comment="Keyed digest of the client and credentials last counted"),
    Column("failure_at", Double, comment="When these were counted"),
    comment="People who have a token or a failure",
)

token = Table(
    "token",
    metadata,
    Column("id", Text, primary_key=True, comment="Our name for the token"),
    Column("subject", Text, ForeignKey(account.c.subject), nullable=False, index=True, comment="Whose it is"),
    Column("kind", Text, nullable=False, comment="totp or hotp"),
    Column("algorithm", Text, nullable=False, comment="The hash below the HMAC: SHA1, SHA256 or SHA512"),
    Column("digits", Integer, nullable=False, comment="The length of a code"),
    Column("period", Integer, nullable=False, comment="Seconds of a time step (totp)"),
    Column("seed", LargeBinary, nullable=False, comment="The key of the codes, sealed for this id and kind"),
    Column("counter", BigInteger, nullable=False, comment="Lowest counter or time step that may be accepted"),
    Column("drift", Integer, nullable=False, comment="The token's clock less ours, in time steps"),
    Column("remembered", BigInteger, comment="Counter of a good code seen outside the window, for a resync"),
    Column("remembered_at", Double, comment="When that code was seen"),
    Column("label", Text, nullable=False, comment="What people call it"),
    Column("serial", Text, unique=True, comment="The serial number of a hardware token"),
    Column("active", Boolean, nullable=False, comment="Whether it may answer"),
    Column("created", Double, nullable=False, comment="When it was enrolled"),
    Column("last_used", Double, comment="When a code of it was last accepted"),
    comment="One-time-code tokens",
)

challenge = Table(
    "challenge",
    metadata,
    Column("id", Text, primary_key=True, comment="SHA-256 of the State, in hex"),
    Column("held", LargeBinary, nullable=False, comment="The first leg's password, sealed under master key and State"),
    Column("expires", Double, nullable=False, index=True, comment="When the answer comes too late"),
    comment="Logins that wait for their code",
)

journal = Table(
    "journal",
    metadata,
    # SQLite numbers the rows of an INTEGER primary key by itself, of a BIGINT one it does not.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, comment="The order of writing"),
    Column("attempt", Text, nullable=False, comment="The attempt's id in the log"),
    Column("at", Double, nullable=False, index=True, comment="When the request arrived"),
    Column("client", Text, nullable=False, comment="The RADIUS client's name in the configuration"),
    Column("name", Text, nullable=False, comment="The user name as typed"),
    Column(
        "subject", Text, comment="The person, if the name led to one; no foreign key, since the record outlives them"
    ),
    Column("source", Text, nullable=False, comment="Where the user sits, as the client tells it"),
    Column("result", Text, nullable=False, comment="accept, reject or challenge"),
    Column("reason", Text, comment="Why it was refused"),
    Column("token", Text, comment="The id of the token that answered; no foreign key, as above"),
    Index("journal_subject_number_idx", "subject", "number"),
    comment="How every login ended",
)
