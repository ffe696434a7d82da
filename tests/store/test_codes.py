import hmac
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Burn, Record, Result, Success, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.issued import normal
from radius2fa.otp.token import IssuedCode, Kind, Token
from radius2fa.otp.verify import WRONG, Match, Used, Windows, check
from radius2fa.store.acts import Act, Deed
from radius2fa.store.codes import Issued, Temporary
from radius2fa.store.engine import Store
from radius2fa.store.passkeys import NewPasskey
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


# login codes and invitations


def kinds(store: Store, when: float = 1000.0) -> dict[str, Kind]:
    """What of alice's may answer, by id."""
    return {token.id: token.kind for token in standing(store, when=when).tokens}


@dataclass(frozen=True)
class Handing:
    """How a code that replaces those before it is made, and what of it is written down."""

    kind: Kind
    form: str
    deed: Deed

    def make(self, store: Store, *, until: float = 1120.0, when: float = 1000.0, whose: str = "alice") -> str:
        make = store.codes.new_login_code if self.kind is Kind.PASSKEY else store.codes.new_invitation
        return make(f"{whose}-id", whose, until=until, when=when)


@pytest.fixture(
    params=[
        Handing(Kind.PASSKEY, "[0-9]{8}", Deed.LOGIN_CODE),
        Handing(Kind.INVITATION, "[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}", Deed.INVITED),
    ],
    ids=lambda handing: handing.kind,
)
def handing(request: pytest.FixtureRequest) -> Handing:
    made: Handing = request.param
    return made


def test_a_code_of_one_use_is_recognised_once_before_its_end(store: Store, handing: Handing) -> None:
    code = handing.make(store)
    assert re.fullmatch(handing.form, code)
    (found,) = standing(store, when=1119.9).tokens
    assert (found.kind, found.counter) == (handing.kind, 0)
    assert check([found], code.encode(), 1000.0, Windows(), resync=False) == Match(found.id, 0, 0)
    assert [(each.token.id, each.why) for each in standing(store, when=1120.0).retired] == [
        (found.id, Reason.TOKEN_EXPIRED)
    ]
    assert use(store, found.id, when=1120.0) is Reason.CODE_ALREADY_USED
    assert use(store, found.id) is None
    assert use(store, found.id) is Reason.CODE_ALREADY_USED
    assert check(standing(store).tokens, code.encode(), 1000.0, Windows(), resync=False) == Used(found.id)


def test_a_new_one_ends_the_persons_earlier_one_and_no_other_code(store: Store, handing: Handing) -> None:
    (other,) = {Kind.PASSKEY, Kind.INVITATION} - {handing.kind}
    replace(handing, kind=other).make(store)
    store.codes.new_recovery("alice-id", "alice", 1000.0)
    loan = temporary(store)
    handing.make(store, whose="bob")
    first = handing.make(store)
    (ended,) = (id_ for id_, kind in kinds(store).items() if kind is handing.kind)
    second = handing.make(store, when=1001.0)
    assert Counter(kinds(store).values()) == {
        Kind.RECOVERY: 10,
        Kind.TEMPORARY: 1,
        Kind.PASSKEY: 1,
        Kind.INVITATION: 1,
    }
    assert [(each.token.id, each.why) for each in standing(store).retired] == [(ended, Reason.TOKEN_DISABLED)]
    assert isinstance(check(standing(store).tokens, second.encode(), 1000.0, Windows(), resync=False), Match)
    assert check(standing(store).tokens, first.encode(), 1000.0, Windows(), resync=False) == WRONG
    assert use(store, ended) is Reason.CODE_ALREADY_USED
    assert store.codes.of("alice-id", 1000.0).temporary == (loan,)
    assert [token.kind for token in standing(store, "bob-id").tokens] == [handing.kind]


def test_one_that_was_used_stays_known_as_used_when_there_is_a_new_one(store: Store, handing: Handing) -> None:
    code = handing.make(store)
    (used,) = kinds(store)
    use(store, used)
    handing.make(store)
    assert check(standing(store).tokens, code.encode(), 1000.0, Windows(), resync=False) == Used(used)


def test_what_is_over_goes_when_a_new_one_is_made(store: Store, handing: Handing) -> None:
    for number in range(5):
        handing.make(store, until=1120.0 + number, when=1000.0 + number)
    handing.make(store, whose="bob")
    handing.make(store, until=2000.0, when=1122.0)
    later = standing(store, when=1122.0)
    assert (len(later.tokens), len(later.retired)) == (1, 2)  # those until 1123 and 1124
    assert len(standing(store, "bob-id", when=1122.0).retired) == 1


def test_that_one_was_made_is_an_act_and_the_code_is_not_in_it(store: Store, handing: Handing) -> None:
    code = handing.make(store, until=1767225600.0)
    (made,) = kinds(store)
    (act,) = store.acts.recent(None, 10)
    # date -u -d @1767225600
    assert act == Act(1000.0, "server", handing.deed, "alice-id", "alice", made, "until 2026-01-01T00:00:00Z")
    assert code not in repr(act)


def test_a_sweep_deletes_them_a_day_after_their_end(store: Store, handing: Handing) -> None:
    handing.make(store, until=100.0, when=1.0)
    handing.make(store, until=101.0, when=1.0, whose="bob")
    store.sweep(100.0 + 86400.0)
    assert (standing(store, when=50.0).retired, standing(store, when=50.0).tokens) == ((), ())
    assert len(standing(store, "bob-id", when=50.0).tokens) == 1


def test_they_are_no_tokens_and_leave_nobody_enrolled(store: Store, handing: Handing) -> None:
    handing.make(store)
    (made,) = kinds(store)
    assert store.tokens.list() == ()
    assert store.tokens.get(made) is None
    assert standing(store).enrolled is False


def test_an_open_invitation_is_told_until_it_is_used_or_over(store: Store) -> None:
    store.codes.new_invitation("alice-id", "alice", until=2000.0, when=1000.0)
    store.codes.new_login_code("alice-id", "alice", until=2000.0, when=1000.0)
    (made,) = (id_ for id_, kind in kinds(store).items() if kind is Kind.INVITATION)
    invitation = Temporary(made, 1, 0, 2000.0, 1000.0)
    assert store.codes.of("alice-id", 1999.9) == Issued(0, (), invitation)
    assert store.codes.of("alice-id", 2000.0) == Issued(0, ())
    assert store.codes.of("bob-id", 1000.0) == Issued(0, ())
    use(store, made)
    assert store.codes.of("alice-id", 1000.0) == Issued(0, ())


def test_an_invitation_is_revoked_and_nothing_else_with_it(store: Store) -> None:
    assert store.codes.revoke_invitation("alice-id") is False
    loan = temporary(store)
    store.codes.new_login_code("alice-id", "alice", until=2000.0, when=1000.0)
    store.codes.new_invitation("alice-id", "alice", until=2000.0, when=1000.0)
    store.codes.new_invitation("bob-id", "bob", until=2000.0, when=1000.0)
    assert store.codes.revoke_invitation("alice-id") is True
    act = store.acts.recent(None, 1)[0]
    assert act == Act(act.at, "server", Deed.INVITATION_REVOKED, "alice-id", "alice")
    assert store.codes.revoke_invitation("alice-id") is False
    assert store.codes.of("alice-id", 1000.0) == Issued(0, (loan,))
    assert sorted(kinds(store).values()) == [Kind.PASSKEY, Kind.TEMPORARY]
    assert store.codes.of("bob-id", 1000.0).invitation is not None


def test_temporary_codes_are_revoked_without_the_invitation(store: Store) -> None:
    temporary(store)
    store.codes.new_invitation("alice-id", "alice", until=2000.0, when=1000.0)
    store.codes.new_login_code("alice-id", "alice", until=2000.0, when=1000.0)
    assert store.codes.revoke("alice-id") == 1
    assert sorted(kinds(store).values()) == [Kind.INVITATION, Kind.PASSKEY]


def test_an_invitation_that_was_used_is_not_revoked(store: Store) -> None:
    store.codes.new_invitation("alice-id", "alice", until=2000.0, when=1000.0)
    (made,) = kinds(store)
    use(store, made)
    assert store.codes.revoke_invitation("alice-id") is False


def test_of_login_codes_made_at_once_one_is_good(store: Store) -> None:
    def make(_: int) -> str:
        return store.codes.new_login_code("alice-id", "alice", until=1120.0, when=1000.0)

    with ThreadPoolExecutor(12) as pool:
        codes = set(pool.map(make, range(12)))
    assert len(codes) == 12
    assert list(kinds(store).values()) == [Kind.PASSKEY]


# the seeds of passkeys


def test_a_passkey_whose_seal_is_broken_asks_for_a_code_and_stops_nobody(settings: Settings) -> None:
    """A login does not open it: nothing in it is of use to one."""
    with closing(opened(settings)) as store, closing(opened(settings, KEYS)) as stranger:
        store.passkeys.add(NewPasskey("key", "alice-id", "alice", "", bytes(32), b"COSE"), 1.0)
        assert standing(stranger) == standing(store)
        assert standing(stranger).enrolled is True
        assert standing(stranger).tokens == standing(stranger).retired == ()
