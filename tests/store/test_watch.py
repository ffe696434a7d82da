from radius2fa.login.lockout import Failures, LockoutRules, place_rules
from radius2fa.login.ports import Burn, Miss, Record, Result, Success
from radius2fa.login.reason import Reason
from radius2fa.store.acts import Act, Deed
from radius2fa.store.codes import Temporary
from radius2fa.store.engine import Store
from radius2fa.store.watch import Blocked, Ends, OnLoan

RULES = place_rules(LockoutRules(delay=600.0), address=2, client=2)


def record(when: float, result: Result, reason: Reason | None = None) -> Record:
    return Record("id", when, "vpn", "alice", "192.0.2.7", result, reason, "alice-id")


def give(store: Store, name: str, until: float, uses: int = 1) -> Temporary:
    store.codes.new_temporary(f"{name}-id", name, until=until, uses=uses, when=1000.0)
    return store.codes.of(f"{name}-id", 1000.0).temporary[-1]


def test_temporary_codes_are_in_force_while_they_last_and_have_uses_left(store: Store) -> None:
    store.codes.new_recovery("alice-id", "alice", 1000.0)
    bobs, used_up = give(store, "bob", 3000.0, 5), give(store, "carol", 3000.0)
    alices = give(store, "alice", 2000.0)
    assert (
        store.ledger.accept(Success("carol-id", "carol", Burn(used_up.id, 0, 0)), record(1001.0, Result.ACCEPT), None)
        is None
    )
    assert store.watch.temporary(1999.0) == (OnLoan("alice-id", "alice", alices), OnLoan("bob-id", "bob", bobs))
    assert store.watch.temporary(2000.0) == (OnLoan("bob-id", "bob", bobs),)
    store.codes.revoke("bob-id")
    assert store.watch.temporary(2000.0) == ()


def try_names(store: Store, place: str, rules: LockoutRules, *names: str) -> None:
    for name in names:
        store.ledger.refuse(record(1000.0, Result.REJECT, Reason.NO_SUCH_USER), Miss(place, name, rules), None)


def test_places_are_blocked_until_their_delay_is_over(store: Store) -> None:
    try_names(store, "from 192.0.2.7", RULES.address, "x", "y")
    try_names(store, "by vpn", RULES.client, "x")
    assert store.watch.blocked(1599.0) == (Blocked("from 192.0.2.7", Failures(2, 1600.0)),)
    assert store.watch.blocked(1600.0) == ()


def test_a_block_is_ended_once_and_the_place_begins_at_nothing(store: Store) -> None:
    for place in ("from 192.0.2.7", "from 192.0.2.8"):
        try_names(store, place, RULES.address, "x", "y")
    assert store.watch.unblock("from 192.0.2.7", 1599.0) == Failures(2, 1600.0)
    assert store.watch.blocked(1599.0) == (Blocked("from 192.0.2.8", Failures(2, 1600.0)),)
    assert store.watch.unblock("from 192.0.2.7", 1599.0) == Failures(0, 0.0)
    try_names(store, "from 192.0.2.7", RULES.address, "y")  # the last one again, and yet the first
    assert store.watch.unblock("from 192.0.2.7", 1599.0) == Failures(1, 0.0)
    assert store.acts.recent(None, 9) == (Act(1599.0, "server", Deed.UNBLOCKED, detail="from 192.0.2.7"),)


def test_what_is_not_blocked_keeps_its_count(store: Store) -> None:
    try_names(store, "from 192.0.2.7", RULES.address, "x", "y")
    for _ in range(2):
        assert store.watch.unblock("from 192.0.2.7", 1600.0) == Failures(2, 1600.0)
    assert store.acts.recent(None, 9) == ()


def test_a_place_that_nothing_was_tried_from_is_none(store: Store) -> None:
    assert store.watch.unblock("from 192.0.2.7", 1000.0) is None
    assert store.watch.unblock("from \0\udcff", 1000.0) is None
    assert store.acts.recent(None, 9) == ()


def test_a_place_is_found_by_what_the_client_sent_of_it(store: Store) -> None:
    try_names(store, "from \udcff", RULES.address, "x", "y")
    assert store.watch.unblock("from \udcff", 1000.0) == Failures(2, 1600.0)


def test_the_ends_of_logins_are_counted_since_a_time(store: Store) -> None:
    for when, result, reason in (
        (1000.0, Result.ACCEPT, None),  # too early
        (1000.5, Result.ACCEPT, None),
        (1001.0, Result.ACCEPT, None),
        (1001.0, Result.CHALLENGE, None),
        (1002.0, Result.REJECT, Reason.WRONG_CODE),
        (1003.0, Result.REJECT, Reason.LOCKED_OUT),
        (1004.0, Result.REJECT, Reason.WRONG_CODE),
    ):
        store.ledger.refuse(record(when, result, reason), None, None)
    assert store.watch.ends(1000.0) == (
        Ends(Result.ACCEPT, None, 2),
        Ends(Result.CHALLENGE, None, 1),
        Ends(Result.REJECT, Reason.LOCKED_OUT, 1),
        Ends(Result.REJECT, Reason.WRONG_CODE, 2),
    )
    assert store.watch.ends(1004.0) == ()
