import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Unavailable
from radius2fa.otp.token import Algorithm, Kind, Token
from radius2fa.store.acts import Act, Deed
from radius2fa.store.engine import Store
from radius2fa.store.passkeys import NewPasskey, Passkey
from radius2fa.store.seal import BadKeyFile, KeyRing
from radius2fa.store.tokens import MOST_ACTIVE, Intake, NewToken, NotTheFirst, Taken, TokenRow, TooManyTokens
from tests.store.opening import opened, standing

Sql = Callable[[str], list[tuple[Any, ...]]]

OTHER_KEYS = KeyRing.parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")  # the octets 0 to 31
PUBLIC_KEY = bytes.fromhex("a401010327200621582074b2")  # the beginning of a COSE key; here it is only kept
PHONE = Token("phone", Kind.TOTP, b"12345678901234567890")
NEW = NewPasskey(
    "laptop",
    "alice-id",
    "alice",
    "Alice's laptop",
    credential_id=bytes(range(0xF0, 0x100)),
    public_key=PUBLIC_KEY,
    sign_count=7,
    aaguid="08987058-cadc-4b81-b6e1-30de50dcbe96",
    transports=("internal", "hybrid"),
    backed_up=False,
)
LAPTOP = Passkey(
    "laptop",
    "alice-id",
    "alice",
    bytes(range(0xF0, 0x100)),
    PUBLIC_KEY,
    7,
    "08987058-cadc-4b81-b6e1-30de50dcbe96",
    ("internal", "hybrid"),
    backed_up=False,
    label="Alice's laptop",
    active=True,
    created=1.5,
    last_used=None,
)


def another(number: int, **more: Any) -> NewPasskey:
    return replace(NEW, id=f"passkey{number}", credential_id=b"%016d" % number, **more)


@pytest.fixture
def registered(store: Store) -> Store:
    """A store in which Alice has a passkey."""
    store.passkeys.add(NEW, 1.5)
    return store


def test_a_passkey_that_has_to_be_the_first_token_is_refused_to_whoever_has_one(registered: Store) -> None:
    with pytest.raises(NotTheFirst):
        registered.passkeys.add(another(1), 2.0, first=True)
    registered.passkeys.add(another(1), 2.0)
    registered.passkeys.add(another(2, subject="bob-id", name="bob"), 2.0, first=True)


def test_a_passkey_is_found_as_it_was_added_by_its_owner_and_by_its_credential_id(registered: Store) -> None:
    registered.passkeys.add(another(1, subject="bob-id", name="bob"), 2.0)
    registered.passkeys.add(another(2, sign_count=0, transports=(), aaguid=""), 1.0)
    assert registered.passkeys.by_credential(NEW.credential_id) == LAPTOP
    assert [passkey.id for passkey in registered.passkeys.of("alice-id")] == ["passkey2", "laptop"]
    assert registered.passkeys.of("alice-id")[1] == LAPTOP
    assert registered.passkeys.by_credential(NEW.credential_id[:-1]) is None
    assert registered.passkeys.of("zoe-id") == ()


def test_a_passkey_is_written_down_as_an_act_and_makes_its_owner_an_account(registered: Store) -> None:
    assert registered.acts.recent(None, 10) == (Act(1.5, "server", Deed.ADDED, "alice-id", "alice", "laptop"),)
    account = registered.accounts.get("alice-id")
    assert account is not None
    assert account.name == "alice"


@pytest.mark.parametrize("size", [0, 15, 1024])
def test_a_credential_id_that_no_authenticator_makes_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"credential_id: {size} octets, not 16 to 1023"):
        replace(NEW, credential_id=bytes(size))


def test_the_longest_credential_id_is_kept(store: Store) -> None:
    longest = replace(NEW, credential_id=bytes(1023))
    store.passkeys.add(longest, 1.5)
    assert store.passkeys.by_credential(longest.credential_id) == replace(LAPTOP, credential_id=bytes(1023))


# a device among others


def test_a_passkey_is_listed_among_the_tokens_and_has_no_seed(registered: Store) -> None:
    row = TokenRow(
        "laptop",
        "alice-id",
        "alice",
        Kind.WEBAUTHN,
        Algorithm.SHA1,
        6,
        30,
        7,
        0,
        "Alice's laptop",
        None,
        active=True,
        created=1.5,
        last_used=None,
        public_id="8PHy8_T19vf4-fr7_P3-_w",  # printf '\xf0\xf1...\xff' | basenc --base64url
    )
    assert registered.tokens.list("alice-id") == (row,)
    assert registered.tokens.list() == (row,)
    assert registered.tokens.get("laptop") == row
    assert registered.tokens.secret("laptop") is None


def test_a_passkey_makes_its_owner_enrolled_and_no_code_of_theirs(registered: Store) -> None:
    assert standing(registered).enrolled is True
    assert standing(registered).tokens == ()
    registered.tokens.set_active("laptop", active=False)
    assert standing(registered).enrolled is True
    assert standing(registered).retired == ()
    registered.tokens.remove("laptop")
    assert standing(registered).enrolled is False
    assert registered.passkeys.of("alice-id") == ()


def test_passkeys_count_among_the_eight_active_tokens_of_a_person(registered: Store) -> None:
    for number in range(MOST_ACTIVE - 2):
        registered.tokens.add(NewToken(replace(PHONE, id=f"token{number}"), "alice-id", "alice"), 2.0)
    registered.passkeys.add(another(1), 2.0)
    with pytest.raises(TooManyTokens):
        registered.passkeys.add(another(2), 2.0)
    with pytest.raises(TooManyTokens):
        registered.tokens.add(NewToken(PHONE, "alice-id", "alice"), 2.0)
    assert registered.tokens.set_active("laptop", active=False) is True
    registered.passkeys.add(another(2), 2.0)
    with pytest.raises(TooManyTokens):
        registered.tokens.set_active("laptop", active=True)
    assert len(registered.acts.recent(None, 100)) == 10  # what failed is none


def test_a_taken_id_or_credential_id_is_named(registered: Store) -> None:
    registered.tokens.add(NewToken(PHONE), 2.0)
    with pytest.raises(Taken, match="a token with the id phone exists already"):
        registered.passkeys.add(replace(another(1), id="phone"), 2.0)
    with pytest.raises(Taken, match="a token with the public id 8PHy8_T19vf4-fr7_P3-_w exists already"):
        registered.passkeys.add(replace(NEW, id="mine", subject="bob-id", name="bob"), 2.0)
    assert registered.passkeys.of("bob-id") == ()
    assert registered.accounts.get("bob-id") is None


def test_two_nodes_that_add_one_credential_at_once_are_told_who_was_first(settings: Settings) -> None:
    with closing(opened(settings)) as one, closing(opened(settings)) as other:
        for number in range(10):
            gate, taken = threading.Barrier(2), list[str]()

            def add(store: Store, subject: str, number: int = number, gate: Any = gate, taken: Any = taken) -> None:
                gate.wait(30)
                try:
                    store.passkeys.add(replace(another(number), id=f"{subject}{number}", subject=subject), 1.0)
                except Taken as fault:
                    taken.append(fault.field)

            threads = [
                threading.Thread(target=add, args=(one, "alice")),
                threading.Thread(target=add, args=(other, "bob")),
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert taken == ["public id"]
            for row in one.tokens.list():
                one.tokens.remove(row.id)


def test_a_passkey_goes_into_no_stock_and_to_nobody_else(registered: Store) -> None:
    assert registered.tokens.unassign("laptop") is False
    assert registered.tokens.assign("laptop", "bob-id", "bob", 2.0) is False
    assert registered.passkeys.of("alice-id") == (LAPTOP,)
    assert len(registered.acts.recent(None, 10)) == 1


def test_an_import_of_a_token_that_has_the_id_of_a_passkey_is_a_conflict(registered: Store) -> None:
    new = [NewToken(replace(PHONE, id="laptop")), NewToken(PHONE)]
    for dry in (True, False):
        assert registered.tokens.take_in(new, 2.0, dry=dry) == (Intake.CONFLICT, Intake.ADDED)
    assert registered.passkeys.of("alice-id") == (LAPTOP,)


# a signature


def test_a_signature_counts_once_and_its_counter_moves_up(registered: Store) -> None:
    assert registered.passkeys.used("laptop", 8, backed_up=False, when=5.0) is True
    assert registered.passkeys.of("alice-id") == (replace(LAPTOP, sign_count=8, last_used=5.0),)
    for count in (8, 7, 1, 0):
        assert registered.passkeys.used("laptop", count, backed_up=False, when=6.0) is False
    assert registered.passkeys.of("alice-id") == (replace(LAPTOP, sign_count=8, last_used=5.0),)
    assert (
        registered.passkeys.used("laptop", 2**32 - 1, backed_up=False, when=6.0) is True
    )  # all that a signature has room for
    assert registered.passkeys.of("alice-id")[0].sign_count == 2**32 - 1


def test_a_passkey_that_does_not_count_may_be_used_again_and_again_until_it_begins_to(store: Store) -> None:
    store.passkeys.add(replace(NEW, sign_count=0), 1.5)
    for when in (5.0, 6.0):
        assert store.passkeys.used("laptop", 0, backed_up=False, when=when) is True
        assert store.passkeys.of("alice-id") == (replace(LAPTOP, sign_count=0, last_used=when),)
    assert store.passkeys.used("laptop", 1, backed_up=False, when=7.0) is True
    assert store.passkeys.used("laptop", 0, backed_up=False, when=8.0) is False


def test_a_passkey_that_may_not_answer_is_not_used(registered: Store) -> None:
    registered.passkeys.add(another(1), 1.5)
    assert registered.tokens.set_active("passkey1", active=False) is True
    assert registered.tokens.set_valid("laptop", 10.0, 20.0) is True
    uses = [("passkey1", 15.0), ("laptop", 9.0), ("laptop", 20.0), ("none", 15.0)]
    assert [registered.passkeys.used(which, 100, backed_up=False, when=when) for which, when in uses] == [False] * 4
    assert [passkey.last_used for passkey in registered.passkeys.of("alice-id")] == [None, None]
    assert registered.passkeys.used("laptop", 100, backed_up=False, when=15.0) is True


def test_a_token_that_makes_codes_is_no_passkey(registered: Store) -> None:
    registered.tokens.add(NewToken(PHONE, "alice-id", "alice"), 2.0)
    assert registered.passkeys.used("phone", 100, backed_up=False, when=5.0) is False
    assert [passkey.id for passkey in registered.passkeys.of("alice-id")] == ["laptop"]
    assert registered.tokens.secret("phone") == PHONE


def test_whether_it_is_backed_up_is_learned_with_a_signature_that_counts(registered: Store) -> None:
    assert registered.passkeys.used("laptop", 7, backed_up=True, when=5.0) is False
    assert registered.passkeys.of("alice-id") == (LAPTOP,)
    assert registered.passkeys.used("laptop", 8, backed_up=True, when=5.0) is True
    assert registered.passkeys.of("alice-id") == (replace(LAPTOP, sign_count=8, last_used=5.0, backed_up=True),)


def test_of_many_signatures_with_one_counter_at_once_one_counts(settings: Settings) -> None:
    with closing(opened(settings)) as one, closing(opened(settings)) as other:
        one.passkeys.add(NEW, 1.5)
        for count in range(8, 13):
            gate, counted = threading.Barrier(8), list[bool]()

            def use(store: Store, count: int = count, gate: Any = gate, counted: Any = counted) -> None:
                gate.wait(30)
                counted.append(store.passkeys.used("laptop", count, backed_up=count % 2 == 0, when=5.0))

            threads = [threading.Thread(target=use, args=(store,)) for store in (one, other) * 4]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert sorted(counted) == [False] * 7 + [True]


# the seal


def test_a_public_key_put_into_another_row_is_not_believed(registered: Store, sql: Sql) -> None:
    registered.passkeys.add(another(1, subject="eve-id", name="eve", public_key=b"eve's own"), 2.0)
    sql("UPDATE token SET seed = (SELECT seed FROM token WHERE id = 'passkey1') WHERE id = 'laptop'")
    for read in (
        lambda: registered.passkeys.of("alice-id"),
        lambda: registered.passkeys.by_credential(NEW.credential_id),
        lambda: registered.passkeys.used("laptop", 8, backed_up=False, when=5.0),
    ):
        with pytest.raises(Unavailable, match=r"^master key: a value sealed with key"):
            read()
    assert [row.id for row in registered.tokens.list("alice-id")] == ["laptop"]  # to be removed, for instance


def test_a_store_that_holds_passkeys_only_does_not_open_with_another_key_either(settings: Settings) -> None:
    with closing(opened(settings)) as store:
        store.passkeys.add(NEW, 1.5)
    with pytest.raises(BadKeyFile, match="put the right file back"):
        opened(settings, OTHER_KEYS)


def test_a_label_with_a_character_that_no_database_keeps_is_kept_without_it(store: Store) -> None:
    store.passkeys.add(replace(NEW, label="a\0b"), 1.5)
    assert store.passkeys.of("alice-id")[0].label == "a\ufffdb"
