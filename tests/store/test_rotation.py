"""Keys change while tokens go on working, in either database."""

import os
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from radius2fa.config.model import Store as Settings
from radius2fa.otp.token import Kind, Token, YubiKey
from radius2fa.store.rotation import AT_ONCE, Resealed, Use
from radius2fa.store.seal import KeyRing, new_key_text
from radius2fa.store.tokens import NewToken
from tests.store.opening import opened, quiet

OLD, NEW = new_key_text(os.urandom), new_key_text(os.urandom)
BEFORE, AFTER, ALONE = KeyRing.parse(OLD), KeyRing.parse(NEW + OLD), KeyRing.parse(NEW)
(OLD_NAME,), (NEW_NAME,) = BEFORE.names, ALONE.names
SEEDS = {f"t{number:03}": os.urandom(20) for number in range(2 * AT_ONCE + 3)}


def fill(settings: Settings) -> None:
    with closing(opened(settings, BEFORE)) as store:
        store.tokens.add_many([NewToken(Token(name, Kind.HOTP, seed)) for name, seed in SEEDS.items()], 1.0)
        key = YubiKey("y", "ddddgciilcjk", bytes(16), bytes(6))
        store.tokens.add(NewToken(key), 1.0)


def test_what_was_sealed_is_sealed_anew_and_opens_without_the_old_key(settings: Settings) -> None:
    fill(settings)
    steps: list[tuple[int, int]] = []
    with closing(opened(settings, AFTER)) as store:
        assert store.rotation.uses() == (Use(NEW_NAME, 0, 0), Use(OLD_NAME, len(SEEDS) + 1, 0))
        assert store.rotation.reseal(lambda *step: steps.append(step)) == Resealed(len(SEEDS) + 1, ())
        assert store.rotation.uses() == (Use(NEW_NAME, len(SEEDS) + 1, 0), Use(OLD_NAME, 0, 0))
        assert store.rotation.reseal(quiet) == Resealed(0, ())
    assert steps == [(AT_ONCE, 204), (2 * AT_ONCE, 204), (204, 204)]
    with closing(opened(settings, ALONE)) as store:
        found = {name: store.tokens.secret(name) for name in SEEDS}
        assert {name: token.key for name, token in found.items() if isinstance(token, Token)} == SEEDS
        assert isinstance(store.tokens.secret("y"), YubiKey)


def test_what_was_broken_off_is_gone_on_with_and_works_in_between(settings: Settings) -> None:
    fill(settings)

    def stop(*_: object) -> None:
        raise ZeroDivisionError

    with closing(opened(settings, AFTER)) as store:
        with suppress(ZeroDivisionError):
            store.rotation.reseal(stop)
        assert store.rotation.uses() == (Use(NEW_NAME, AT_ONCE, 0), Use(OLD_NAME, len(SEEDS) + 1 - AT_ONCE, 0))
        found = [store.tokens.secret(name) for name in SEEDS]
        assert [token.key for token in found if isinstance(token, Token)] == list(SEEDS.values())
        assert store.rotation.reseal(quiet).done == len(SEEDS) + 1 - AT_ONCE


def test_codes_that_were_handed_out_keep_their_key_and_go_on_working(settings: Settings) -> None:
    now = time.time()
    with closing(opened(settings, BEFORE)) as store:
        store.codes.new_recovery("alice-id", "alice", now)
        store.codes.new_temporary("bob-id", "bob", until=now + 900, uses=2, when=now)
    with closing(opened(settings, AFTER)) as store:
        assert store.rotation.reseal(quiet) == Resealed(0, ())
        assert store.rotation.uses() == (Use(NEW_NAME, 0, 0), Use(OLD_NAME, 0, 11))
        assert store.rotation.holders(OLD_NAME) == (("alice", Kind.RECOVERY), ("bob", Kind.TEMPORARY))
        store.codes.new_recovery("alice-id", "alice", now)
        assert store.rotation.holders(OLD_NAME) == (("bob", Kind.TEMPORARY),)


def test_a_token_that_does_not_open_is_left_as_it_is_and_named(
    settings: Settings, sql: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    fill(settings)
    sql("UPDATE token SET seed = (SELECT seed FROM token WHERE id = 't000') WHERE id = 't150'")
    before = sql("SELECT seed FROM token WHERE id = 't150'")
    with closing(opened(settings, AFTER)) as store:
        assert store.rotation.reseal(quiet) == Resealed(len(SEEDS), ("t150",))
        assert store.rotation.uses()[1] == Use(OLD_NAME, 1, 0)
    assert sql("SELECT seed FROM token WHERE id = 't150'") == before
