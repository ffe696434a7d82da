from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from radius2fa.login.lockout import Failures, LockoutRules
from radius2fa.login.ports import Failure, Record, Result
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token, YubiKey
from radius2fa.store.accounts import Account
from radius2fa.store.acts import Deed
from radius2fa.store.engine import Store
from radius2fa.store.passkeys import NewPasskey
from radius2fa.store.records import LONGEST, ActFilter, Figures, LoginFilter
from radius2fa.store.tokens import NewToken

Sql = Callable[[str], list[tuple[Any, ...]]]

PHONE = Token("phone", Kind.TOTP, b"12345678901234567890")
REFUSED = Record("a0", 1000.0, "vpn", "alice", "192.0.2.7", Result.REJECT, Reason.WRONG_CODE, "alice-id", policy="all")


# people


@pytest.fixture
def crowd(store: Store) -> Store:
    for name in ("anna", "Johanna", "ANTON", "a%b", "a_b", "axb", "a/b", "Özil", "zoe"):
        store.accounts.bypass(f"{name}-id", name, 500.0, 1.0)
    return store


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("an", {"anna", "Johanna", "ANTON"}),
        ("ANN", {"anna", "Johanna"}),
        ("%", {"a%b"}),
        ("a_b", {"a_b"}),
        ("/", {"a/b"}),
        ("Öz", {"Özil"}),
        ("il", {"Özil"}),
        ("'", set()),
        ("nobody", set()),
        ("\0\udc80", set()),
    ],
)
def test_people_are_found_by_a_part_of_their_name_as_it_is_written(crowd: Store, text: str, names: set[str]) -> None:
    assert {account.name for account in crowd.records.people(text, 100)} == names


def test_who_begins_with_the_text_comes_first_and_there_are_no_more_than_were_asked_for(crowd: Store) -> None:
    assert [account.name for account in crowd.records.people("ann", 10)] == ["anna", "Johanna"]
    assert [account.name for account in crowd.records.people("ann", 1)] == ["anna"]
    assert crowd.records.people("ann", 0) == ()
    assert len(crowd.records.people("", 100)) == 9


def test_people_come_with_their_failures_and_their_bypass(crowd: Store) -> None:
    failure = Failure("zoe-id", "zoe", b"x", LockoutRules(failures=1, delay=60.0))
    crowd.ledger.refuse(replace(REFUSED, subject="zoe-id"), failure, None)
    assert crowd.records.people("zoe", 10) == (Account("zoe-id", "zoe", Failures(1, 1060.0), 500.0),)


# logins


@pytest.fixture
def busy(store: Store) -> Store:
    """A store with six logins, the attempts a0 to a5."""
    records = (
        REFUSED,
        replace(REFUSED, when=1100.0, client="switch", reason=Reason.LOCKED_OUT, name="Alice@example.org"),
        replace(REFUSED, when=1200.0, result=Result.ACCEPT, reason=None, token="phone", factor="totp"),
        replace(REFUSED, when=1300.0, name="bob", subject="bob-id", source="192.0.2.77"),
        replace(REFUSED, when=1400.0, name="m_llory", subject=None, reason=Reason.NO_SUCH_USER, source="2001:db8::1"),
        replace(REFUSED, when=1500.0, name="mallory", subject=None, reason=Reason.NO_SUCH_USER, source=""),
    )
    for number, record in enumerate(records):
        store.ledger.refuse(replace(record, id=f"a{number}"), None, None)
    return store


@pytest.mark.parametrize(
    ("which", "attempts"),
    [
        (LoginFilter(), "a5 a4 a3 a2 a1 a0"),
        (LoginFilter(subject="alice-id"), "a2 a1 a0"),
        (LoginFilter(name="ALICE"), "a2 a1 a0"),
        (LoginFilter(name="@"), "a1"),
        (LoginFilter(name="m_l"), "a4"),
        (LoginFilter(client="switch"), "a1"),
        (LoginFilter(client="swi"), ""),
        (LoginFilter(result=Result.ACCEPT), "a2"),
        (LoginFilter(reason=Reason.NO_SUCH_USER), "a5 a4"),
        (LoginFilter(source="192.0.2."), "a3 a2 a1 a0"),
        (LoginFilter(source="192.0.2.77"), "a3"),
        (LoginFilter(source="0.2.7"), ""),
        (LoginFilter(source="2001:DB8:"), "a4"),
        (LoginFilter(since=1100.0, until=1400.0), "a3 a2 a1"),
        (LoginFilter(since=1500.0), "a5"),
        (LoginFilter(subject="", name="", client="", source=""), "a5 a4 a3 a2 a1 a0"),
        (LoginFilter(subject="alice-id", client="vpn", result=Result.REJECT, name="al", since=1.0, until=9e9), "a0"),
        (LoginFilter(name="\0\udc80", client="\0"), ""),
    ],
)
def test_those_logins_are_shown_that_are_meant_the_newest_first(busy: Store, which: LoginFilter, attempts: str) -> None:
    assert " ".join(record.id for _, record in busy.records.logins(which, None, 100)) == attempts


def test_a_login_is_shown_with_all_that_the_journal_says(busy: Store) -> None:
    ((_, record),) = busy.records.logins(LoginFilter(result=Result.ACCEPT), None, 1)
    assert record == replace(
        REFUSED, id="a2", when=1200.0, result=Result.ACCEPT, reason=None, token="phone", factor="totp"
    )
    assert record == busy.accounts.recent("alice-id", 1)[0]


def test_logins_are_read_page_by_page_and_each_once(busy: Store) -> None:
    which, pages, before = LoginFilter(since=1100.0), list[list[str]](), None
    for _ in range(3):
        page = busy.records.logins(which, before, 2)
        pages.append([record.id for _, record in page])
        before = page[-1][0]
    assert pages == [["a5", "a4"], ["a3", "a2"], ["a1"]]
    assert busy.records.logins(which, before, 2) == ()
    assert busy.records.logins(which, None, 0) == ()


def test_no_more_than_a_thousand_logins_are_read_at_once(store: Store, sql: Sql) -> None:
    values = ", ".join(f"('{number}', {number}, 'c', 'n', 's', 'reject')" for number in range(1500))
    sql(f"INSERT INTO journal (attempt, at, client, name, source, result) VALUES {values}")  # noqa: S608 - our own
    page = store.records.logins(LoginFilter(), None, 10**9)
    assert [int(record.id) for _, record in page] == list(range(1499, 499, -1))
    assert store.records.logins(LoginFilter(), None, -1) == ()


# acts


def test_those_acts_are_shown_that_are_meant_the_newest_first(store: Store) -> None:
    root, helpdesk = store.by("root"), store.by("hd", "call 4711")
    root.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
    helpdesk.accounts.bypass("bob-id", "bob", 99.0, 2.0)
    helpdesk.codes.new_recovery("alice-id", "alice", 3.0)
    root.accounts.bypass("alice-id", "alice", 99.0, 4.0)

    def shown(which: ActFilter) -> list[Deed]:
        return [act.what for _, act in store.records.acts(which, None, 100)]

    everything = [Deed.BYPASS_GIVEN, Deed.RECOVERY_CODES_MADE, Deed.BYPASS_GIVEN, Deed.ADDED]
    assert shown(ActFilter()) == shown(ActFilter(who="", subject="", token="")) == everything
    assert shown(ActFilter(subject="alice-id")) == [everything[0], everything[1], everything[3]]
    assert shown(ActFilter(who="hd")) == everything[1:3]
    assert shown(ActFilter(who="h")) == []
    assert shown(ActFilter(what=Deed.BYPASS_GIVEN)) == [Deed.BYPASS_GIVEN] * 2
    assert shown(ActFilter(what=Deed.BYPASS_GIVEN, who="root")) == [Deed.BYPASS_GIVEN]
    assert shown(ActFilter(token="phone")) == [Deed.ADDED]
    assert shown(ActFilter(since=2.0, until=4.0)) == everything[1:3]
    first, second = store.records.acts(ActFilter(), None, 2)
    assert (first[1], second[1]) == store.acts.recent(None, 2)
    assert second[1].why == "call 4711"
    assert [act.at for _, act in store.records.acts(ActFilter(), second[0], 100)] == [2.0, 1.0]


# figures


def test_logins_are_counted_by_the_hour_in_which_they_arrived(store: Store) -> None:
    noon = 490_000 * 3600.0
    for at, client, result in (
        (noon - 0.25, "vpn", Result.REJECT),
        (noon, "vpn", Result.REJECT),
        (noon + 0.25, "switch", Result.REJECT),
        (noon + 1799.5, "vpn", Result.ACCEPT),
        (noon + 1800.5, "vpn", Result.REJECT),
        (noon + 3599.75, "vpn", Result.REJECT),
        (noon + 3600.0, "vpn", Result.CHALLENGE),
        (noon + 7200.0, "vpn", Result.REJECT),
    ):
        store.ledger.refuse(replace(REFUSED, when=at, client=client, result=result), None, None)
    hours = store.records.hourly(noon - 3600.0, noon + 7200.0)
    assert hours == (
        (noon - 3600.0, "vpn", Result.REJECT, 1),
        (noon, "switch", Result.REJECT, 1),
        (noon, "vpn", Result.ACCEPT, 1),
        (noon, "vpn", Result.REJECT, 3),
        (noon + 3600.0, "vpn", Result.CHALLENGE, 1),
    )
    assert store.records.hourly(noon - 0.2, noon + 1.0)[0] == (noon, "switch", Result.REJECT, 1)
    assert store.records.hourly(noon, noon) == ()


def test_no_more_than_the_last_31_days_are_counted_by_the_hour(store: Store) -> None:
    for at in (3600.0, 7200.0):
        store.ledger.refuse(replace(REFUSED, when=at), None, None)
    assert [hour.start for hour in store.records.hourly(0.0, 7200.0 + LONGEST)] == [7200.0]


def test_people_who_have_a_device_that_works_are_counted_and_devices_by_their_kind(store: Store) -> None:
    assert store.records.figures() == Figures(0, {}, {})
    for number, owner in enumerate(("alice", "alice", "bob", "lost")):
        store.tokens.add(NewToken(replace(PHONE, id=f"token{number}"), f"{owner}-id", owner), 1.0)
    store.tokens.set_active("token3", active=False)
    store.passkeys.add(NewPasskey("laptop", "carl-id", "carl", "", bytes(16), b"key"), 1.0)
    store.codes.new_recovery("dora-id", "dora", 1.0)
    store.codes.new_temporary("emil-id", "emil", until=9e9, uses=1, when=1.0)
    store.tokens.add(NewToken(YubiKey("key", "cccccc", bytes(16), bytes(6))), 1.0)
    store.tokens.add(NewToken(replace(PHONE, id="fob", kind=Kind.HOTP)), 1.0)
    assert store.records.figures() == Figures(
        enrolled=3, tokens={Kind.TOTP: 4, Kind.WEBAUTHN: 1}, stock={Kind.YUBIKEY: 1, Kind.HOTP: 1}
    )


def test_whatever_stands_in_the_stock_nobody_is_enrolled_by_it(store: Store) -> None:
    store.tokens.add(NewToken(PHONE), 1.0)
    assert store.records.figures() == Figures(0, {}, {Kind.TOTP: 1})


def test_the_stock_is_read_by_serial_number_and_some_at_a_time(store: Store) -> None:
    serials = ("B-10", "A_1", "a_2", "A%3")
    fobs = [
        NewToken(Token(f"t{n}", Kind.HOTP, bytes([n]) * 20), None, None, "", each) for n, each in enumerate(serials)
    ]
    key = NewToken(YubiKey("key", "vvcccc", b"k" * 16, b"p" * 6), None, None, "")
    theirs = NewToken(Token("hers", Kind.HOTP, b"h" * 20), "alice-1", "alice", "", "A_9")
    store.tokens.add_many([*fobs, key, theirs], 5.0)
    found = store.records.stock("", 0, 10)
    assert {row.serial for row in found} == {*serials, None}
    assert found[-1].public_id == "vvcccc"  # what has no serial number stands at the end
    assert [row.subject for row in found] == [None] * 5
    assert {row.id: row for row in found} == {row.id: row for row in store.tokens.list(unassigned=True)}
    assert [row.id for row in store.records.stock("", 2, 2)] == [row.id for row in found[2:4]]
    assert {row.serial for row in store.records.stock("a_", 0, 10)} == {"A_1", "a_2"}
    assert {row.serial for row in store.records.stock("%", 0, 10)} == {"A%3"}
    assert [row.id for row in store.records.stock("VCC", 0, 10)] == ["key"]


def test_enrolled_are_those_who_have_a_device_that_is_active(store: Store) -> None:
    def give(subject: str, token: str, *, active: bool = True) -> None:
        store.tokens.add(
            NewToken(Token(token, Kind.TOTP, token.encode() * 20), subject, subject, "", active=active), 5.0
        )

    give("alice-1", "a")
    give("alice-1", "b")
    give("bob-2", "c", active=False)
    store.tokens.add(NewToken(Token("d", Kind.TOTP, b"d" * 20), None, None, ""), 5.0)
    store.codes.new_recovery("carl-3", "carl", 5.0)
    assert store.records.enrolled() == {"alice-1"}
