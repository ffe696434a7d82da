import hashlib
import hmac
import os
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radius2fa.config.model import Store as Settings
from radius2fa.store.acts import Act, Deed
from radius2fa.store.engine import Store
from radius2fa.store.seal import KeyRing
from radius2fa.store.sessions import NewSession, Session
from tests.store.opening import opened

Sql = Callable[[str], list[tuple[Any, ...]]]

MASTER = bytes(range(32))
KEYS = KeyRing.parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")  # MASTER
OTHER_KEYS = KeyRing.parse("ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=\n")
ALICE = NewSession(
    "alice-id", "alice", "Alice@example.org", "totp", 1000.0, None, "192.0.2.7", "Firefox/140.0", b"a pending seed"
)
BOB = NewSession("bob-id", "bob", "bob", "not-enrolled")
FROM_ALICE = Session(
    "",
    "alice-id",
    "alice",
    "Alice@example.org",
    "totp",
    created=1000.0,
    seen=1000.0,
    until=9000.0,
    proved=1000.0,
    by_passkey=None,
    source="192.0.2.7",
    agent="Firefox/140.0",
    held=b"a pending seed",
)


def id_of(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()


def signed_in(store: Store, new: NewSession = ALICE, until: float = 9000.0, when: float = 1000.0) -> bytes:
    return store.sessions.begin(new, until, when)


def found(store: Store, token: bytes, when: float = 1000.0, idle: float = 900.0) -> Session | None:
    return store.sessions.find(token, when, idle)


# a session's life


def test_whoever_signs_in_is_known_by_the_token_and_by_no_other(store: Store) -> None:
    token, other = signed_in(store), signed_in(store, BOB)
    assert len(token) == len(other) == 32
    assert found(store, token) == replace(FROM_ALICE, id=id_of(token))
    session = found(store, other)
    assert session is not None
    assert (session.subject, session.proved, session.held) == ("bob-id", None, b"")
    for stranger in (b"", bytes(32), token[:-1], token + b"\0", id_of(token).encode()):
        assert found(store, stranger) is None


def test_nothing_in_a_sessions_row_lets_anybody_in(store: Store, sql: Sql) -> None:
    token = signed_in(store)
    (row,) = sql("SELECT * FROM session")
    octets = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    for secret in (token, token.hex().encode(), b"a pending seed"):
        assert secret not in octets


def test_a_session_ends_at_its_time_however_much_it_is_used(store: Store) -> None:
    token = signed_in(store, until=1500.0)
    store.sessions.touch(token, 1499.0)
    assert found(store, token, 1499.9) is not None
    assert found(store, token, 1500.0) is None
    assert store.sessions.of("alice-id", 1499.9) != ()
    assert store.sessions.of("alice-id", 1500.0) == ()


def test_a_session_ends_when_nothing_is_done_in_it(store: Store) -> None:
    token = signed_in(store)
    assert found(store, token, 1900.0) is not None
    assert found(store, token, 1900.5) is None
    store.sessions.touch(token, 1900.0)
    session = found(store, token, 2800.0)
    assert session is not None
    assert session.seen == 1900.0
    assert found(store, token, 2800.5) is None


def test_what_was_done_late_is_not_noted_as_earlier(store: Store) -> None:
    token = signed_in(store)
    for when in (1100.0, 1060.0):
        store.sessions.touch(token, when)
    session = found(store, token)
    assert session is not None
    assert session.seen == 1100.0


def test_something_else_waits_in_a_session_when_it_is_kept_there(store: Store) -> None:
    token, other = signed_in(store), signed_in(store)
    assert store.sessions.keep(token, b"") is True
    assert found(store, token) == replace(FROM_ALICE, id=id_of(token), held=b"")
    assert store.sessions.keep(token, b"a challenge") is True
    assert found(store, token) == replace(FROM_ALICE, id=id_of(token), held=b"a challenge")
    assert found(store, other) == replace(FROM_ALICE, id=id_of(other))
    store.sessions.end(token)
    assert store.sessions.keep(token, b"too late") is False
    assert found(store, token) is None


def test_signing_out_ends_one_session(store: Store) -> None:
    token, other = signed_in(store), signed_in(store)
    store.sessions.end(token)
    assert found(store, token) is None
    assert found(store, other) is not None
    store.sessions.end(token)
    assert store.acts.recent(None, 10) == ()


# a second factor, shown


def test_who_shows_a_second_factor_gets_a_new_token_and_the_old_one_is_dead(store: Store) -> None:
    token = signed_in(store, replace(ALICE, factor="not-enrolled", proved=None))
    new = store.sessions.prove(token, "totp", 1200.0, by_passkey=False)
    assert new is not None
    assert new != token
    assert found(store, token) is None
    assert found(store, new) == replace(FROM_ALICE, id=id_of(new), seen=1200.0, proved=1200.0)
    assert [session.id for session in store.sessions.of("alice-id", 1200.0)] == [id_of(new)]


def test_when_a_passkey_was_shown_stays_known_when_a_code_is_shown_later(store: Store) -> None:
    token = store.sessions.prove(signed_in(store), "passkey", 1200.0, by_passkey=True)
    assert token is not None
    token = store.sessions.prove(token, "totp", 1300.0, by_passkey=False)
    assert token is not None
    session = found(store, token)
    assert session is not None
    assert (session.proved, session.by_passkey, session.factor) == (1300.0, 1200.0, "totp")


def test_a_session_that_is_over_is_not_prolonged_by_a_second_factor(store: Store) -> None:
    token = signed_in(store, until=1500.0)
    assert store.sessions.prove(token, "totp", 1500.0, by_passkey=False) is None
    assert store.sessions.prove(bytes(32), "totp", 1200.0, by_passkey=False) is None
    assert found(store, token) is not None
    store.sessions.end(token)
    assert store.sessions.prove(token, "totp", 1200.0, by_passkey=False) is None


def test_of_many_that_show_a_second_factor_at_once_with_one_token_one_goes_on(settings: Settings) -> None:
    with closing(opened(settings)) as one, closing(opened(settings)) as other:
        token, gate, new = signed_in(one), threading.Barrier(8), list[bytes | None]()

        def prove(store: Store) -> None:
            gate.wait(30)
            new.append(store.sessions.prove(token, "totp", 1200.0, by_passkey=False))

        threads = [threading.Thread(target=prove, args=(store,)) for store in (one, other) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(new) == 8
        (token_now,) = [each for each in new if each is not None]
        assert [session.id for session in one.sessions.of("alice-id", 1200.0)] == [id_of(token_now)]


# the seal


def held_of(sql: Sql, token: bytes) -> bytes:
    ((held,),) = sql(f"SELECT held FROM session WHERE id = '{id_of(token)}'")  # noqa: S608 - our own
    return bytes(held)


def hkdf(salt: bytes, purpose: bytes) -> bytes:
    """RFC 5869 with one block of output, by hand: the standard library has no HKDF."""
    return hmac.digest(hmac.digest(salt, MASTER, "sha256"), purpose + b"\x01", "sha256")


def test_what_waits_is_sealed_by_aes_256_gcm_under_a_key_from_master_key_and_token(
    settings: Settings, sql: Sql
) -> None:
    with closing(opened(settings, KEYS)) as store:
        token = signed_in(store)
    blob = held_of(sql, token)
    context = blob[:5] + b"\0\0\0\x07session\0\0\0\x40" + id_of(token).encode()
    assert AESGCM(hkdf(token, b"radius2fa session")).decrypt(blob[5:17], blob[17:], context) == b"a pending seed"
    # The master key alone, with all that the database tells, does not open it.
    for salt in (b"", bytes(32), bytes.fromhex(id_of(token)), id_of(token).encode()):
        with pytest.raises(InvalidTag):
            AESGCM(hkdf(salt, b"radius2fa session")).decrypt(blob[5:17], blob[17:], context)


def test_the_database_and_the_token_without_the_master_key_open_nothing(settings: Settings, sql: Sql) -> None:
    with closing(opened(settings, KEYS)) as store:
        token = signed_in(store)
    with closing(opened(settings, OTHER_KEYS)) as store:
        assert found(store, token) is None
        # not even where the blob claims to be sealed with the key that there is
        claimed = hashlib.sha256(bytes(range(100, 132))).digest()[:4]
        blob = held_of(sql, token)
        put(settings, sql, token, blob[:1] + claimed + blob[5:])
        assert OTHER_KEYS.knows(held_of(sql, token))
        assert found(store, token) is None
        assert store.sessions.prove(token, "totp", 1200.0, by_passkey=False) is None


def put(settings: Settings, sql: Sql, token: bytes, blob: bytes) -> None:
    octets = f"x'{blob.hex()}'" if settings.url.startswith("sqlite") else f"'\\x{blob.hex()}'::bytea"
    sql(f"UPDATE session SET held = {octets} WHERE id = '{id_of(token)}'")  # noqa: S608 - our own


def test_what_waits_in_one_session_does_not_open_in_another(settings: Settings, sql: Sql) -> None:
    with closing(opened(settings)) as store:
        token, other = signed_in(store), signed_in(store)
        put(settings, sql, other, held_of(sql, token))
        assert found(store, other) is None
        assert found(store, token) is not None
        # nor does the whole row under another name
        sql(f"DELETE FROM session WHERE id = '{id_of(other)}'")  # noqa: S608 - our own
        mine = os.urandom(32)
        sql(f"UPDATE session SET id = '{id_of(mine)}'")  # noqa: S608 - our own
        assert found(store, mine) is None
        assert found(store, token) is None


def test_a_row_that_was_altered_by_one_bit_lets_nobody_in(settings: Settings, sql: Sql) -> None:
    with closing(opened(settings)) as store:
        token = signed_in(store)
        blob = held_of(sql, token)
        for place in (0, 3, 10, 20, len(blob) - 1):
            put(settings, sql, token, bytes(octet ^ (place == at) for at, octet in enumerate(blob)))
            assert found(store, token) is None
        put(settings, sql, token, blob)
        assert found(store, token) is not None


def test_what_waits_is_sealed_anew_for_a_new_token(settings: Settings, sql: Sql) -> None:
    with closing(opened(settings)) as store:
        token = signed_in(store)
        blob = held_of(sql, token)
        new = store.sessions.prove(token, "totp", 1200.0, by_passkey=False)
        assert new is not None
        assert held_of(sql, new) != blob
        put(settings, sql, new, blob)
        assert found(store, new) is None


def test_no_secret_of_a_session_is_in_a_repr(store: Store) -> None:
    token = signed_in(store)
    assert "pending" not in repr(ALICE) + repr(found(store, token))


# other sessions of the same person


def test_a_person_sees_their_sessions_the_last_used_first_and_not_what_waits_in_them(store: Store) -> None:
    first, second, _ = signed_in(store), signed_in(store, when=1001.0), signed_in(store, BOB)
    store.sessions.touch(first, 1060.0)
    assert store.sessions.of("alice-id", 1100.0) == (
        replace(FROM_ALICE, id=id_of(first), seen=1060.0, held=b""),
        replace(FROM_ALICE, id=id_of(second), created=1001.0, seen=1001.0, held=b""),
    )


def test_all_of_a_persons_sessions_end_but_the_one_that_they_are_in(settings: Settings) -> None:
    with closing(opened(settings, actor="root")) as store:
        mine, bobs = signed_in(store), signed_in(store, BOB)
        others = [signed_in(store) for _ in range(3)]
        assert store.sessions.end_all("alice-id", but=id_of(mine)) == 3
        assert [found(store, token) for token in others] == [None] * 3
        assert found(store, mine) is not None
        assert found(store, bobs) is not None
        assert store.sessions.end_all("alice-id") == 1
        assert found(store, mine) is None
        assert store.sessions.end_all("alice-id") == 0
        acts = store.acts.recent(None, 10)
        assert [(act.what, act.who, act.subject, act.name, act.detail) for act in acts] == [
            (Deed.SESSIONS_ENDED, "root", "alice-id", "alice", "sessions: 1"),
            (Deed.SESSIONS_ENDED, "root", "alice-id", "alice", "sessions: 3"),
        ]


def test_one_session_ends_by_its_id_if_it_is_the_persons_own(store: Store) -> None:
    mine, bobs = signed_in(store), signed_in(store, BOB)
    assert store.sessions.end_one("alice-id", id_of(bobs)) is False
    assert found(store, bobs) is not None
    assert store.acts.recent(None, 10) == ()
    assert store.sessions.end_one("alice-id", id_of(mine)) is True
    assert found(store, mine) is None
    assert store.sessions.end_one("alice-id", id_of(mine)) is False
    (act,) = store.acts.recent(None, 10)
    assert act == Act(act.at, "server", Deed.SESSIONS_ENDED, "alice-id", "alice", None, "sessions: 1")


def test_whatever_a_browser_calls_itself_can_be_kept(store: Store) -> None:
    strange = replace(ALICE, typed="a\0b", source="\udc80", agent="\0" + "x" * 10_000)
    session = found(store, signed_in(store, strange))
    assert session is not None
    assert (session.typed, session.source) == ("a\ufffdb", "?")
    assert session.agent == "\ufffd" + "x" * 255


# what is derived from the master key


def test_a_forms_code_is_an_hmac_of_the_token_under_a_key_of_its_own(settings: Settings) -> None:
    with closing(opened(settings, KEYS)) as store, closing(opened(settings, OTHER_KEYS)) as stranger:
        code = store.sessions.form_code(b"any token")
        assert code == hmac.new(hkdf(bytes(32), b"radius2fa form"), b"any token", "sha256").hexdigest()
        assert code != store.sessions.form_code(b"any tokem")
        assert code != stranger.sessions.form_code(b"any token")


def test_what_is_derived_is_another_for_each_purpose_and_data(settings: Settings) -> None:
    with closing(opened(settings, KEYS)) as store, closing(opened(settings, OTHER_KEYS)) as stranger:
        octets = store.sessions.derive(b"challenge", b"State")
        message = b"\0\0\0\x09challenge\0\0\0\x05State"
        assert octets == hmac.digest(hkdf(bytes(32), b"radius2fa derived"), message, "sha256")
        others = [
            store.sessions.derive(b"challeng", b"eState"),
            store.sessions.derive(b"challenge", b"Stat"),
            store.sessions.derive(b"", b"challengeState"),
            stranger.sessions.derive(b"challenge", b"State"),
            bytes.fromhex(store.sessions.form_code(message)),
        ]
        assert octets not in others
