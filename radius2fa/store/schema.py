"""Owns the shape of the tables, column by column, and the list of their revisions.

Times are Unix seconds. Migrations (`migrations/versions/`) bring a database to this shape; a test compares the two.
"""

from typing import Any

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
    UniqueConstraint,
    text,
)

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
HEAD = REVISIONS[-1]

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


def _links() -> tuple[Column[Any], ...]:
    """Return the columns that make a row a link of a chain (`store.links`)."""
    return (
        Column("chain", Integer, comment="The number of its chain; null: written before there were chains"),
        Column("sequence", BigInteger, comment="Its place in the chain, from 1 on"),
        Column("hash", LargeBinary, comment="Keyed hash of the hash before it and of this row"),
    )


account = Table(
    "account",
    metadata,
    Column("subject", Text, primary_key=True, comment="The directory's stable id of the person, in lower case"),
    Column("name", Text, nullable=False, index=True, comment="The directory's spelling when last seen, for display"),
    Column("failures", Integer, nullable=False, comment="Failures in a row; 0 after a login or an unlock"),
    Column(
        "code_failures",
        Integer,
        nullable=False,
        server_default="0",
        comment="Those of them in which a code was wrong; a login without a code leaves them",
    ),
    Column(
        "blocked_until", Double, nullable=False, comment="Every attempt before is refused; Infinity: until unlocked"
    ),
    Column("failure_digest", LargeBinary, comment="Keyed digest of the client and credentials last counted"),
    Column("failure_at", Double, comment="When these were counted"),
    Column("bypass_until", Double, comment="No second factor is asked for before; null: it always is"),
    comment="People who have a token or a code, a failure or a bypass",
)

place = Table(
    "place",
    metadata,
    Column("place", Text, primary_key=True, comment="An address of users, or a client that tells none"),
    Column("failures", Integer, nullable=False, comment="Names in a row that do not exist"),
    Column("blocked_until", Double, nullable=False, comment="Every attempt from there before is refused"),
    Column("failure_digest", LargeBinary, comment="Keyed digest of the name last counted"),
    Column("failure_at", Double, nullable=False, index=True, comment="When it was counted"),
    comment="Where names that do not exist are tried from",
)

token = Table(
    "token",
    metadata,
    Column("id", Text, primary_key=True, comment="Our name for the token"),
    Column("subject", Text, ForeignKey(account.c.subject), index=True, comment="Whose it is; null: it is in the stock"),
    Column(
        "kind",
        Text,
        nullable=False,
        comment="totp, hotp, yubikey, webauthn, or of codes: recovery, temporary, passkey, invitation",
    ),
    Column("algorithm", Text, nullable=False, comment="The hash below the HMAC: SHA1, SHA256 or SHA512 (totp, hotp)"),
    Column("digits", Integer, nullable=False, comment="The length of a code (totp, hotp)"),
    Column("period", Integer, nullable=False, comment="Seconds of a time step (totp)"),
    Column(
        "seed",
        LargeBinary,
        nullable=False,
        comment="What codes or a passkey are checked with, sealed for this id and kind; an issued code's keyed digest",
    ),
    Column(
        "counter",
        BigInteger,
        nullable=False,
        comment="Lowest counter that may be accepted; an issued code's uses; signatures that a passkey last told",
    ),
    Column("drift", Integer, nullable=False, comment="The token's clock less ours, in time steps"),
    Column("remembered", BigInteger, comment="Counter of a good code seen outside the window, for a resync"),
    Column("remembered_at", Double, comment="When that code was seen"),
    Column("label", Text, nullable=False, comment="What people call it"),
    Column("serial", Text, unique=True, comment="The serial number of a hardware token"),
    Column("active", Boolean, nullable=False, comment="Whether it may answer"),
    Column("created", Double, nullable=False, comment="When it was enrolled"),
    Column("last_used", Double, comment="When a code of it was last accepted"),
    Column(
        "public_id",
        Text,
        unique=True,
        comment="What is before the codes, in modhex (yubikey); credential id, base64url (webauthn)",
    ),
    Column("valid_from", Double, comment="It may not answer before"),
    Column("valid_until", Double, index=True, comment="It may not answer from then on"),
    Column("uses", Integer, comment="How often an issued code may be used; null for tokens"),
    comment="One-time-code tokens, passkeys, and codes that were handed out",
)

challenge = Table(
    "challenge",
    metadata,
    Column("id", Text, primary_key=True, comment="SHA-256 of the State, in hex"),
    Column("held", LargeBinary, nullable=False, comment="The first leg's password, sealed under master key and State"),
    Column("expires", Double, nullable=False, index=True, comment="When the answer comes too late"),
    comment="Logins that wait for their code",
)

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True, comment="SHA-256 of the cookie's token, in hex"),
    Column(
        "subject", Text, nullable=False, index=True, comment="Who signed in; no foreign key, not all have an account"
    ),
    Column("name", Text, nullable=False, comment="The directory's spelling of their name"),
    Column("typed", Text, nullable=False, comment="The user name as typed"),
    Column("factor", Text, nullable=False, comment="The kind of the second factor, or why none was asked for"),
    Column("created", Double, nullable=False, comment="When they signed in"),
    Column("seen", Double, nullable=False, comment="When the session was last used, to the minute"),
    Column("until", Double, nullable=False, index=True, comment="When it ends, however much it is used"),
    Column("proved", Double, comment="When a second factor was last shown; null: none was"),
    Column("by_passkey", Double, comment="When a passkey was last shown; null: none was"),
    Column("source", Text, nullable=False, comment="The address that they signed in from"),
    Column("agent", Text, nullable=False, comment="What their browser calls itself"),
    Column("held", LargeBinary, nullable=False, comment="What waits in it, sealed under master key and token"),
    comment="Who is signed in to the portal",
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
    Column("policy", Text, comment="The rule that was applied"),
    Column("factor", Text, comment="The kind of the second factor, or why none was asked for"),
    Column("person", Text, comment="The directory's spelling of their name, if the name led to somebody"),
    Column("serial", Text, comment="The serial number of the token that answered"),
    Column("node", Text, comment="The server that decided; null: before the chains"),
    Column("queue", Double, comment="Milliseconds until a thread took the request up"),
    Column("look_up", Double, comment="Milliseconds of the look-up in the directory"),
    Column("code", Double, comment="Milliseconds of looking for the rule and the code"),
    Column("bind", Double, comment="Milliseconds of the bind"),
    Column("store", Double, comment="Milliseconds of reading the store"),
    *_links(),
    Index("journal_subject_number_idx", "subject", "number"),
    Index("journal_chain_sequence_idx", "chain", "sequence"),
    comment="How every login ended",
)

act = Table(
    "act",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, comment="The order of writing"),
    Column("at", Double, nullable=False, comment="When it was done"),
    Column("who", Text, nullable=False, comment="Who did it"),
    Column("what", Text, nullable=False, comment="What was done, in a word"),
    Column("subject", Text, comment="The person that it was done to; no foreign key, since the act outlives them"),
    Column("name", Text, comment="Their name, as the directory spelled it then"),
    Column("token", Text, comment="The id of the token or code; no foreign key, as above"),
    Column("detail", Text, nullable=False, comment="More of it, for people"),
    Column("why", Text, nullable=False, server_default=text("''"), comment="The reason that was given for it"),
    Column("node", Text, comment="Where it was done; null: before the chains"),
    *_links(),
    Index("act_subject_number_idx", "subject", "number"),
    Index("act_chain_sequence_idx", "chain", "sequence"),
    comment="What administrators did, and people for themselves",
)

chain = Table(
    "chain",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False, comment="From 1 on, without a gap"),
    Column("writer", Text, nullable=False, comment="Who writes: node, role and connection; before: nobody, see there"),
    Column("book", Text, nullable=False, comment="The table of its rows: journal or act"),
    Column(
        "sequence", BigInteger, nullable=False, comment="The last row's; before: the highest number without a chain"
    ),
    Column("hash", LargeBinary, nullable=False, comment="The last row's; empty where there was none yet"),
    Column("seal", LargeBinary, nullable=False, comment="Keyed hash of all that is to the left"),
    Column(
        "anchor_sequence",
        BigInteger,
        nullable=False,
        comment="The last row's that was removed for its age, 0 for none; before: how many rows have no chain",
    ),
    Column("anchor_hash", LargeBinary, nullable=False, comment="The same row's; empty for none"),
    Column("anchor_seal", LargeBinary, nullable=False, comment="Keyed hash of the anchor"),
    UniqueConstraint("writer", "book"),
    comment="The chains that the rows of journal and act are linked to, so that none is changed unseen",
)

audit_key = Table(
    "audit_key",
    metadata,
    Column("name", Text, primary_key=True, comment="The name of the master key that it was made from"),
    Column("sealed", LargeBinary, nullable=False, comment="The audit key, sealed for this name under a master key"),
    comment="What proves the rows of master keys that are out of use",
)

accounting = Table(
    "accounting",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, comment="The order of writing"),
    Column("at", Double, nullable=False, index=True, comment="When the request arrived"),
    Column("client", Text, nullable=False, comment="The RADIUS client's name in the configuration"),
    Column("name", Text, nullable=False, comment="The user name that the client tells"),
    Column("status", Text, nullable=False, comment="start, stop, interim-update, accounting-on or accounting-off"),
    Column("session", Text, nullable=False, comment="Acct-Session-Id: the client's name for the session"),
    Column("login", Text, nullable=False, comment="Class: journal.attempt of the login, where server.send_class is on"),
    Column("input_octets", BigInteger, comment="Octets from the user"),
    Column("output_octets", BigInteger, comment="Octets to the user"),
    Column("seconds", BigInteger, comment="How long the session has lasted"),
    Column("cause", Text, nullable=False, comment="Why it ended"),
    Column("address", Text, comment="The user's address in the session"),
    Column("source", Text, nullable=False, comment="Where the user sits, as the client tells it"),
    Index("accounting_name_number_idx", "name", "number"),
    comment="What clients report of sessions",
)
