import hmac
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Burn, Record, Result, Success, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.issued import normal
from radius2fa.otp.token import IssuedCode, Kind, Token
from radius2fa.otp.verify import Match, Used, Windows, check
from radius2fa.store.codes import Issued, Temporary
from radius2fa.store.engine import Store
from radius2fa.store.seal import KeyRing
from radius2fa.store.tokens import MOST_ACTIVE, NewToken
from tests.store.opening import opened, standing

Sql = Callable[[str], list[tuple[Any, ...]]]

MASTER = bytes(range(32))
KEYS = KeyRing.parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")  # MASTER
ACCEPTED = Record("0c", 1000.0, "vpn", "alice", "", Result.ACCEPT, subject="alice-id")


def use(store: Store, code_id: str, used: int = 0, when: float = 1000.0) -> Reason | None:
    success = Success("alice-id", "alice", Burn(code_id, used, 0))
    return store.ledger.accept(success, replace(ACCEPTED, when=when), None)


def temporary(store: Store, until: float = 2000.0, uses: int = 1, when: float = 1000.0) -> Temporary:
    store.codes.new_temporary("alice-id", "alice", until=until, uses=uses, when=when)
    return store.codes.of("alice-id", when).temporary[-1]


def test_ten_recovery_codes_are_made_all_different_and_each_is_recognised_once(store: Store) -> None:
    codes = store.codes.new_recovery("alice-id", "alice", 1000.0)
    assert len(set(codes)) == 10
    assert store.codes.of("alice-id", 1000.0) == Issued(10, ())
    for left, code in enumerate(reversed(codes)):
        verdict = check(standing(store).tokens, code.encode(), 1000.0, Windows(), resync=False)
        assert isinstance(verdict, Match)
        assert use(store, verdict.token, verdict.counter) is None
        assert check(standing(store).tokens, code.encode(), 1000.0, Windows(), resync=False) == Used(verdict.token)
        assert use(store, verdict.token, verdict.counter) is Reason.CODE_ALREADY_USED
        assert store.codes.of("alice-id", 1000.0).recovery_left == 9 - left


def test_a_new_list_of_recovery_codes_ends_the_earlier_one_and_nobody_elses(store: Store) -> None:
    store.codes.new_recovery("alice-id", "alice", 1000.0)
    store.codes.new_recovery("bob-id", "bob", 1000.0)
    earlier = {code.id for code in standing(store).tokens}
    code = temporary(store)
    store.tokens.add(NewToken(Token("phone", Kind.TOTP, b"seed"), "alice-id", "alice"), 1.0)
    store.codes.new_recovery("alice-id", "alice", 1001.0)
    now = {token.id for token in standing(store).tokens}
    assert {code.id, "phone"} < now
    assert len(now) == 12
    assert now.isdisjoint(earlier)
    assert store.codes.of("bob-id", 1000.0).recovery_left == 10


def test_a_temporary_code_is_recognised_until_its_end(store: Store) -> None:
    code = store.codes.new_temporary("alice-id", "alice", until=2000.0, uses=3, when=1000.0)
    (issued,) = standing(store, when=1999.9).tokens
    verdict = check([issued], code.encode(), 1000.0, Windows(), resync=False)
    assert verdict == Match(issued.id, 0, 0)
    (retired,) = standing(store, when=2000.0).retired
    assert (retired.token, retired.why) == (issued, Reason.TOKEN_EXPIRED)


def test_a_persons_temporary_codes_are_told_with_their_uses_until_they_end(store: Store) -> None:
    first, second = temporary(store, uses=3, when=999.0), temporary(store, until=1500.0)
    assert use(store, first.id) is None
    assert store.codes.of("alice-id", 1499.9) == Issued(
        0, (Temporary(first.id, 3, 1, 2000.0, 999.0), Temporary(second.id, 1, 0, 1500.0, 1000.0))
    )
    assert [code.id for code in store.codes.of("alice-id", 1500.0).temporary] == [first.id]
    assert store.codes.of("bob-id", 1000.0) == Issued(0, ())


def test_a_revoked_temporary_code_is_disabled_and_recovery_codes_stay(store: Store) -> None:
    used, left = temporary(store, when=999.0), temporary(store, uses=2)
    store.codes.new_recovery("alice-id", "alice", 1000.0)
    store.codes.new_temporary("bob-id", "bob", until=2000.0, uses=1, when=1000.0)
    use(store, used.id)
    use(store, left.id)
    assert store.codes.revoke("alice-id") == 1
    assert use(store, left.id, 1) is Reason.CODE_ALREADY_USED
    assert [(each.token.id, each.why) for each in standing(store).retired] == [(left.id, Reason.TOKEN_DISABLED)]
    assert [code.id for code in store.codes.of("alice-id", 1000.0).temporary] == [used.id]
    assert store.codes.of("alice-id", 1000.0).recovery_left == 10
    assert store.codes.revoke("alice-id") == 0
    assert len(store.codes.of("bob-id", 1000.0).temporary) == 1


def test_codes_are_no_tokens(store: Store) -> None:
    code = temporary(store)
    store.codes.new_recovery("alice-id", "alice", 1000.0)
    for number in range(MOST_ACTIVE):
        store.tokens.add(NewToken(Token(f"{number}", Kind.TOTP, b"seed"), "alice-id", "alice"), 1.0)
    assert len(store.tokens.list()) == len(store.tokens.list("alice-id")) == MOST_ACTIVE
    assert store.tokens.list(unassigned=True) == ()
    assert store.tokens.get(code.id) is None
    assert store.tokens.secret(code.id) is None
    assert store.tokens.set_active(code.id, active=False) is False
    assert store.tokens.set_valid(code.id, None, None) is False
    assert store.tokens.assign(code.id, "bob-id", "bob", 1.0) is False
    assert store.tokens.unassign(code.id) is False
    assert store.tokens.advance(code.id, 0, 0, 1.0) is False
    assert store.tokens.remove(code.id) is False
    assert store.codes.of("alice-id", 1000.0) == Issued(10, (code,))


def test_no_code_is_in_the_database_but_its_digest_under_a_key_of_its_own(settings: Settings, sql: Sql) -> None:
    with closing(opened(settings, KEYS)) as store:
        code = store.codes.new_temporary("alice-id", "alice", until=2000.0, uses=1, when=1000.0)
        (issued,) = standing(store).tokens
        assert isinstance(issued, IssuedCode)
    # RFC 5869 with one block of output, by hand: the standard library has no HKDF.
    key = hmac.digest(hmac.digest(bytes(32), MASTER, "sha256"), b"radius2fa issued code\x01", "sha256")
    plain = normal(Kind.TEMPORARY, code.encode())
    assert plain is not None
    digest = hmac.digest(key, len(issued.id).to_bytes(4) + issued.id.encode() + plain, "sha256")
    assert (issued.key, issued.digest) == (key, digest)
    ((seed,),) = sql("SELECT seed FROM token")
    assert bytes(seed) == b"\x01" + bytes.fromhex("630dcd29") + digest
    assert code not in repr(sql("SELECT * FROM token")) + repr(sql("SELECT * FROM act"))
    assert digest.hex() not in repr(issued)


def test_a_code_whose_master_key_is_gone_is_a_breakdown(settings: Settings) -> None:
    with closing(opened(settings)) as store, closing(opened(settings, KEYS)) as stranger:
        temporary(store)
        with pytest.raises(Unavailable, match=r"^master key: a value is sealed with key [0-9a-f]{8}, which is not"):
            standing(stranger)
        assert standing(stranger, when=2000.0).retired == ()  # what could not answer anyway stops nobody
