import time
from collections.abc import Callable
from contextlib import closing

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.login.lockout import LockoutRules
from radius2fa.login.ports import Burn, Failure, Record, Result, Success
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token, YubiKey
from radius2fa.store.acts import Act, Deed, written
from radius2fa.store.engine import Store
from radius2fa.store.passkeys import NewPasskey
from radius2fa.store.sessions import NewSession
from radius2fa.store.tokens import MOST_ACTIVE, NewToken, Taken, TooManyTokens
from tests.store.opening import opened

PHONE = Token("phone", Kind.TOTP, b"12345678901234567890")
KEY = YubiKey("key", "cccccc", bytes(16), bytes(6))
REFUSED = Record("0b", 1000.0, "vpn", "alice", "", Result.REJECT, Reason.WRONG_CODE, "alice-id")


def give(store: Store, *numbers: int) -> None:
    store.tokens.add_many(
        [NewToken(Token(f"token{number}", Kind.TOTP, b"seed"), "alice-id", "alice") for number in numbers], 1.0
    )


def test_every_act_is_written_down_with_who_did_it_to_whom(settings: Settings) -> None:
    with closing(opened(settings, actor="root")) as store:
        store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
        store.tokens.add(NewToken(KEY), 2.0)
        store.tokens.assign("key", "bob-id", "bob", 3.0)
        store.codes.new_recovery("alice-id", "alice", 4.0)
        store.codes.new_temporary("bob-id", "bob", until=1767225600.0, uses=3, when=5.0)
        store.accounts.bypass("bob-id", "bob", 1767225601.0, 6.0)
        store.accounts.end_bypass("bob-id", 7.0)
        (code,) = store.codes.of("bob-id", 5.0).temporary
        acts = store.acts.recent(None, 100)
        assert store.acts.recent("bob-id", 2) == acts[:2]
        assert [act.what for act in store.acts.recent("alice-id", 9)] == [Deed.RECOVERY_CODES_MADE, Deed.ADDED]
    # date -u -d @1767225600
    assert acts == (
        Act(7.0, "root", Deed.BYPASS_ENDED, "bob-id", "bob"),
        Act(6.0, "root", Deed.BYPASS_GIVEN, "bob-id", "bob", detail="until 2026-01-01T00:00:01Z"),
        Act(5.0, "root", Deed.TEMPORARY_CODE_MADE, "bob-id", "bob", code.id, "until 2026-01-01T00:00:00Z, uses: 3"),
        Act(4.0, "root", Deed.RECOVERY_CODES_MADE, "alice-id", "alice", detail="10 codes"),
        Act(3.0, "root", Deed.ASSIGNED, "bob-id", "bob", "key"),
        Act(2.0, "root", Deed.ADDED, token="key"),
        Act(1.0, "root", Deed.ADDED, "alice-id", "alice", "phone"),
    )


CHANGES: dict[Deed, Callable[[Store], object]] = {
    Deed.DISABLED: lambda store: store.tokens.set_active("phone", active=False),
    Deed.ENABLED: lambda store: store.tokens.set_active("phone", active=True),
    Deed.VALIDITY: lambda store: store.tokens.set_valid("phone", None, 1767225600.0),
    Deed.RENAMED: lambda store: store.tokens.rename("phone", "old phone"),
    Deed.UNASSIGNED: lambda store: store.tokens.unassign("phone"),
    Deed.REMOVED: lambda store: store.tokens.remove("phone"),
    Deed.UNLOCKED: lambda store: store.accounts.unlock("alice-id"),
    Deed.TEMPORARY_CODES_REVOKED: lambda store: store.codes.revoke("alice-id"),
}
DETAILS = {
    Deed.VALIDITY: "from - until 2026-01-01T00:00:00Z",
    Deed.RENAMED: "old phone",
    Deed.TEMPORARY_CODES_REVOKED: "1 codes",
}


@pytest.mark.parametrize("deed", CHANGES, ids=str)
def test_where_the_caller_says_no_time_it_is_the_databases(store: Store, deed: Deed) -> None:
    store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
    store.codes.new_temporary("alice-id", "alice", until=9e9, uses=1, when=1.0)
    before = time.time()
    CHANGES[deed](store)
    after = time.time()
    act = store.acts.recent(None, 1)[0]
    token = None if deed in {Deed.UNLOCKED, Deed.TEMPORARY_CODES_REVOKED} else "phone"
    assert act == Act(act.at, "server", deed, "alice-id", "alice", token, DETAILS.get(deed, ""))
    assert before - 0.01 <= act.at <= after + 0.01  # SQLite's clock counts milliseconds


def test_another_actor_writes_their_own_name_and_reason_on_the_same_database(settings: Settings) -> None:
    with closing(opened(settings)) as store:
        helpdesk = store.by("Henry", "lost the phone, call 4711")
        store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
        helpdesk.codes.new_recovery("alice-id", "alice", 2.0)
        helpdesk.passkeys.add(NewPasskey("laptop", "alice-id", "alice", "", bytes(16), b"key"), 3.0)
        helpdesk.accounts.bypass("alice-id", "alice", 1767225600.0, 4.0)
        helpdesk.tokens.add(NewToken(KEY), 5.0)
        success = Success("bob-id", "bob", Burn("key", 300, 0, adopts=True))
        helpdesk.ledger.accept(success, Record("0c", 6.0, "vpn", "bob", "", Result.ACCEPT, subject="bob-id"), None)
        helpdesk.sessions.begin(NewSession("alice-id", "alice", "alice", "totp"), 99.0, 7.0)
        helpdesk.sessions.end_all("alice-id")
        store.by("\0", "\udc80").tokens.remove("phone")
        acts = store.acts.recent(None, 100)
    assert [(act.who, act.what, act.why) for act in acts] == [
        ("\ufffd", Deed.REMOVED, "?"),
        ("Henry", Deed.SESSIONS_ENDED, "lost the phone, call 4711"),
        ("Henry", Deed.ADOPTED, "lost the phone, call 4711"),
        ("Henry", Deed.ADDED, "lost the phone, call 4711"),
        ("Henry", Deed.BYPASS_GIVEN, "lost the phone, call 4711"),
        ("Henry", Deed.ADDED, "lost the phone, call 4711"),
        ("Henry", Deed.RECOVERY_CODES_MADE, "lost the phone, call 4711"),
        ("server", Deed.ADDED, ""),
    ]


def test_what_another_actors_store_seals_opens_in_this_one_and_is_swept_by_either(store: Store) -> None:
    other = store.by("Henry")
    other.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
    assert store.tokens.secret("phone") == PHONE
    token = other.sessions.begin(NewSession("alice-id", "alice", "alice", "totp", held=b"x"), 99.0, 7.0)
    found = store.sessions.find(token, 8.0, 60.0)
    assert found is not None
    assert found.held == b"x"
    other.sweep(99.0)
    assert store.sessions.of("alice-id", 8.0) == ()


def test_what_changes_nothing_is_no_act(store: Store) -> None:
    for change in CHANGES.values():
        assert not change(store)
    assert store.tokens.assign("phone", "alice-id", "alice", 1.0) is False
    assert store.accounts.end_bypass("alice-id", 1.0) is False
    assert store.acts.recent(None, 10) == ()


def test_what_fails_is_no_act(store: Store) -> None:
    give(store, *range(MOST_ACTIVE))
    store.tokens.add(NewToken(KEY), 1.0)
    acts = store.acts.recent(None, 100)
    with pytest.raises(TooManyTokens):
        store.tokens.assign("key", "alice-id", "alice", 2.0)
    with pytest.raises(Taken):
        give(store, 0)
    assert store.acts.recent(None, 100) == acts


def test_an_import_is_one_act_and_a_dry_run_none(store: Store) -> None:
    new = [
        NewToken(Token(f"token{number}", Kind.TOTP, b"seed%d" % number), serial=f"S{number % 3}") for number in range(4)
    ]
    store.tokens.take_in(new, 1.0, dry=True)
    assert store.acts.recent(None, 10) == ()
    store.tokens.take_in(new, 2.0)
    assert store.acts.recent(None, 10) == (Act(2.0, "server", Deed.IMPORTED, detail="added: 3, conflict: 1"),)
    store.tokens.take_in(new[:3], 3.0)
    assert len(store.acts.recent(None, 10)) == 1  # nothing was added


def test_an_adoption_is_an_act_and_no_other_login_is(store: Store) -> None:
    store.tokens.add(NewToken(KEY), 1.0)
    record = Record("0c", 1000.0, "vpn", "bob", "", Result.ACCEPT, subject="bob-id")
    burns = [Burn("key", 300, 0, adopts=True), Burn("key", 301, 0), Burn("key", 302, 0, adopts=True)]
    for burn in burns:
        store.ledger.accept(Success("bob-id", "bob", burn), record, None)
    store.ledger.refuse(REFUSED, Failure("alice-id", "alice", b"x", LockoutRules()), None)
    assert store.acts.recent(None, 10)[:-1] == (Act(1000.0, "server", Deed.ADOPTED, "bob-id", "bob", "key"),)


def test_the_acts_done_to_somebody_outlive_them(store: Store) -> None:
    give(store, 1)
    store.tokens.remove("token1")
    assert [act.what for act in store.acts.recent("alice-id", 10)] == [Deed.REMOVED, Deed.ADDED]


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (None, "-"),
        (0.0, "1970-01-01T00:00:00Z"),
        (253402300799.0, "9999-12-31T23:59:59Z"),
        (253402300800.0, "2.53402e+11"),
        (-1.0, "-1"),
        (float("inf"), "inf"),
    ],
)
def test_a_time_is_written_as_people_read_it_if_it_can_be(when: float | None, text: str) -> None:
    assert written(when) == text
