from radius2fa.login.lockout import Failures, LockoutRules, place_rules
from radius2fa.login.ports import Burn, Miss, Record, Result, Success
from radius2fa.login.reason import Reason
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


def test_places_are_blocked_until_their_delay_is_over(store: Store) -> None:
    for name in ("x", "y"):
        miss = Miss("from 192.0.2.7", name, RULES.address)
        store.ledger.refuse(record(1000.0, Result.REJECT, Reason.NO_SUCH_USER), miss, None)
    store.ledger.refuse(record(1000.0, Result.REJECT, Reason.NO_SUCH_USER), Miss("by vpn", "x", RULES.client), None)
    assert store.watch.blocked(1599.0) == (Blocked("from 192.0.2.7", Failures(2, 1600.0)),)
    assert store.watch.blocked(1600.0) == ()


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
