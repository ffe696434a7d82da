import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretBytes

from radius2fa.config.model import Store as Settings
from radius2fa.login.lockout import Failures, LockoutRules
from radius2fa.login.ports import Failure, Held, Miss, Record, Result, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from radius2fa.store.engine import BadUrl, SchemaTooNew, SchemaTooOld, Store, address
from radius2fa.store.seal import BadKeyFile, KeyRing, new_key_text
from radius2fa.store.sessions import NewSession
from radius2fa.store.tokens import NewToken
from tests.servers.postgres import Postgres
from tests.store.opening import opened, postgres_settings, standing, using

Sql = Callable[[str], list[tuple[Any, ...]]]

PHONE = Token("phone", Kind.TOTP, b"12345678901234567890", counter=0)
ACCEPTED = Record("0c", 1000.0, "vpn", "alice", "", Result.ACCEPT, None, "alice-id", "phone")
REFUSED = replace(ACCEPTED, result=Result.REJECT, reason=Reason.WRONG_CODE)
HELD = Held(b"0123456789abcdef0123456789abcdef", "vpn", "alice", b"pass", expires=1120.0)
OTHER_KEYS = KeyRing.parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")  # the octets 0 to 31
DAY = 86400.0


# opening


def test_a_missing_file_is_refused_with_the_remedy_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(SchemaTooOld, match=r"no tables yet: run `radius2fa db upgrade`"):
        opened(Settings(url=f"sqlite:///{tmp_path}/none.db"))
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_is_refused_with_the_remedy(postgres: Postgres) -> None:
    name = postgres.create()
    with pytest.raises(SchemaTooOld, match=r"no tables yet: run `radius2fa db upgrade`"):
        opened(postgres_settings(postgres, name))
    postgres.drop(name)


def test_tables_of_a_newer_program_are_refused_with_the_remedy(settings: Settings, sql: Sql) -> None:
    sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        with pytest.raises(SchemaTooNew, match=r"revision 9999, this program knows 0006: install its newer version"):
            opened(settings)
    finally:
        sql("UPDATE alembic_version SET version_num = '0006'")


def test_tables_of_an_older_program_are_refused_with_the_remedy(settings: Settings, sql: Sql) -> None:
    sql("UPDATE alembic_version SET version_num = '0001'")
    try:
        with pytest.raises(SchemaTooOld, match=r"revision 0001, 0006 is needed: run `radius2fa db upgrade`"):
            opened(settings)
    finally:
        sql("UPDATE alembic_version SET version_num = '0006'")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("no url", "not a URL"),
        ("mysql://localhost/radius2fa", "mysql is neither sqlite with a file nor postgresql"),
        ("sqlite://", "sqlite is neither sqlite with a file nor postgresql"),
        ("sqlite:///:memory:", "sqlite is neither sqlite with a file nor postgresql"),
    ],
)
def test_a_url_of_no_usable_database_is_refused(url: str, fault: str) -> None:
    with pytest.raises(BadUrl, match=fault):
        address(Settings.model_construct(url=url, password=None))


def test_the_password_is_put_into_the_url_and_stays_out_of_its_text() -> None:
    url = address(
        Settings(url="postgresql://radius2fa@db.example.org/radius2fa", password=SecretBytes(b"p@ss/w\xc3\xb6rd"))
    )
    assert url.password == "p@ss/wörd"
    assert str(url) == "postgresql+psycopg://radius2fa:***@db.example.org/radius2fa"
    assert address(Settings(url="postgresql://db.example.org/radius2fa")).password is None


def test_a_missing_postgresql_driver_is_told_with_the_remedy() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from radius2fa.config.model import Store\n"
        "from radius2fa.store.engine import address\n"
        "address(Store(url='postgresql://db.example.org/radius2fa'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith(
        "BadUrl: store.url: PostgreSQL needs psycopg; install `radius2fa[postgresql]`"
    )


def test_opening_a_store_does_not_load_the_migrations(sqlite_settings: Settings) -> None:
    program = (
        "import os, sys, time\n"
        "from radius2fa.config.model import Store\n"
        "from radius2fa.store.engine import open_store\n"
        "from radius2fa.store.seal import KeyRing, new_key_text\n"
        "open_store(Store(url=sys.argv[1]), KeyRing.parse(new_key_text(os.urandom)), threads=1,"
        " clock=time.monotonic, random=os.urandom).close()\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('alembic', 'psycopg')])"
    )
    command = [sys.executable, "-c", program, sqlite_settings.url]
    assert subprocess.check_output(command, text=True) == "[]\n"


# keys


def test_with_the_wrong_master_key_a_login_finds_the_store_unavailable_and_the_key_is_named(settings: Settings) -> None:
    with closing(opened(settings)) as store, closing(opened(settings, OTHER_KEYS)) as stranger:
        store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
        store.ledger.ask(HELD, ACCEPTED, None)
        for call in (
            lambda: standing(stranger),
            lambda: stranger.ledger.held(HELD.state, "vpn", "alice", 1000.0),
        ):
            with pytest.raises(Unavailable, match=r"^master key: a value is sealed with key [0-9a-f]{8}, which is not"):
                call()


def test_a_store_whose_tokens_are_sealed_with_another_key_does_not_open(settings: Settings) -> None:
    with closing(opened(settings, OTHER_KEYS)):
        pass  # without a token, no key is wrong
    with closing(opened(settings)) as store:
        store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
    with pytest.raises(BadKeyFile, match=r"sealed with key [0-9a-f]{8}, which is not in the master key file"):
        opened(settings, OTHER_KEYS)


def test_a_store_with_other_keys_seals_by_the_new_one_and_opens_what_was_sealed_before(settings: Settings) -> None:
    old, new = new_key_text(lambda size: b"o" * size), new_key_text(lambda size: b"n" * size)
    with closing(opened(settings, KeyRing.parse(old))) as store:
        store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
        renewed = store.renewed(KeyRing.parse(new + old), settings)
        assert standing(renewed).tokens == (PHONE,)
        renewed.tokens.add(NewToken(Token("other", Kind.TOTP, b"x" * 20), "alice-id", "alice"), 2.0)
        with pytest.raises(Unavailable, match=r"^master key: "):
            standing(store)


def test_a_store_takes_no_keys_that_do_not_open_its_tokens(settings: Settings) -> None:
    with closing(opened(settings)) as store:
        store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
        with pytest.raises(BadKeyFile, match=r"sealed with key [0-9a-f]{8}, which is not in the master key file"):
            store.renewed(OTHER_KEYS, settings)


def test_a_renewed_store_keeps_logins_as_long_as_the_new_settings_say(settings: Settings, sql: Sql) -> None:
    with closing(opened(settings)) as store:
        store.ledger.refuse(REFUSED, None, None)
        for days, left in ((3, 1), (1, 0)):
            store.renewed(store.keys, settings.model_copy(update={"keep_days": days})).sweep(REFUSED.when + DAY + 1)
            assert len(sql("SELECT at FROM journal")) == left


def test_a_waiting_login_whose_time_was_prolonged_in_the_database_does_not_open(store: Store, sql: Sql) -> None:
    store.ledger.ask(HELD, ACCEPTED, None)
    sql("UPDATE challenge SET expires = 99999")
    assert store.ledger.held(HELD.state, "vpn", "alice", 1000.0) is None


def test_neither_an_unknown_name_nor_more_of_it_than_a_digest_is_kept_of_a_place(store: Store, sql: Sql) -> None:
    store.ledger.refuse(REFUSED, Miss("from 192.0.2.7", "hunter2", LockoutRules()), None)
    ((place, digest),) = sql("SELECT place, failure_digest FROM place")
    assert (place, len(bytes(digest))) == ("from 192.0.2.7", 32)
    assert "hunter2" not in repr(sql("SELECT * FROM place"))


def test_neither_state_nor_password_is_in_the_database(store: Store, sql: Sql) -> None:
    store.ledger.ask(HELD, ACCEPTED, None)
    ((name, held),) = sql("SELECT id, held FROM challenge")
    # printf 0123456789abcdef0123456789abcdef | sha256sum
    assert name == "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9"
    assert HELD.password not in bytes(held)


# two nodes


def test_two_stores_on_one_database_are_one(settings: Settings) -> None:
    with closing(opened(settings)) as one, closing(opened(settings)) as other:
        one.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
        one.ledger.ask(HELD, ACCEPTED, None)
        assert other.ledger.held(HELD.state, "vpn", "alice", 1000.0) == HELD
        burn = using("phone", 0)
        assert other.ledger.accept(burn, ACCEPTED, HELD.state) is None
        assert one.ledger.held(HELD.state, "vpn", "alice", 1000.0) is None
        assert one.ledger.accept(burn, ACCEPTED, None) is Reason.CODE_ALREADY_USED


def test_fifty_threads_on_two_stores_burn_a_code_once_and_count_every_failure(settings: Settings) -> None:
    with closing(opened(settings)) as one, closing(opened(settings)) as other:
        one.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
        gate, results = threading.Barrier(50), list[Reason | None]()

        def login(number: int) -> None:
            ledger = (one, other)[number % 2].ledger
            gate.wait(30)
            results.append(ledger.accept(using("phone", 0), ACCEPTED, None))
            rules = LockoutRules(failures=50, lock_after=51)
            wrong = Failure("bob-id", "bob", b"wrong%d" % number, rules)
            ledger.refuse(replace(REFUSED, subject="bob-id"), wrong, None)

        threads = [threading.Thread(target=login, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert Counter(results) == {None: 1, Reason.CODE_ALREADY_USED: 49}
        assert standing(other, "bob-id").failures == Failures(50, 1030.0)


# the journal


def test_whatever_a_stranger_sends_can_be_written_down(store: Store, sql: Sql) -> None:
    strange = replace(REFUSED, name="a\0\ud800\x07'--", source="\0", subject=None)
    store.ledger.refuse(strange, None, None)
    assert sql("SELECT name, source, subject FROM journal") == [("a\ufffd?\x07'--", "\ufffd", None)]


# probe and sweep


def test_a_probe_asks_the_database(store: Store) -> None:
    store.probe()


def test_a_sweep_deletes_what_has_expired_and_nothing_else(settings: Settings, sql: Sql) -> None:
    with closing(opened(settings.model_copy(update={"keep_days": 2}))) as store:
        when = 10 * DAY
        for number, expires in enumerate((when - 1, when, when + 1)):
            store.ledger.ask(replace(HELD, state=b"%032d" % number, expires=expires), ACCEPTED, None)
            store.sessions.begin(NewSession("alice-id", "alice", "alice", "totp"), expires, 1.0)
        for at in (when - 2 * DAY - 1, when - 2 * DAY, when - 2 * DAY + 1, when):
            store.ledger.refuse(replace(REFUSED, when=at), None, None)
        store.sweep(when)
        assert sql("SELECT expires FROM challenge") == [(when + 1,)]
        assert sql("SELECT until FROM session") == [(when + 1,)]
        assert sql("SELECT at FROM journal ORDER BY at") == [(when - 2 * DAY + 1,), (when,)]


def test_a_sweep_deletes_temporary_codes_a_day_after_their_end_and_no_other_token(store: Store) -> None:
    store.tokens.add(NewToken(PHONE, "alice-id", "alice", valid_until=1.0), 1.0)
    store.codes.new_recovery("alice-id", "alice", 1.0)
    for until in (100.0, 101.0):
        store.codes.new_temporary("alice-id", "alice", until=until, uses=1, when=1.0)
    store.sweep(100.0 + DAY)
    assert [code.valid_until for code in store.codes.of("alice-id", 50.0).temporary] == [101.0]
    assert store.codes.of("alice-id", 50.0).recovery_left == 10
    assert [row.id for row in store.tokens.list()] == ["phone"]


def test_a_sweep_forgets_places_after_a_day_but_none_that_is_blocked(store: Store, sql: Sql) -> None:
    weekly = LockoutRules(failures=1, delay=7 * DAY, longest_delay=7 * DAY)
    mild = LockoutRules()
    for place, at, rules in (("old", 100.0, mild), ("new", 101.0, mild), ("blocked", 100.0, weekly)):
        store.ledger.refuse(replace(REFUSED, when=at), Miss(place, "x", rules), None)
    store.sweep(100.0 + DAY)
    assert sql("SELECT place FROM place ORDER BY place") == [("blocked",), ("new",)]
    store.sweep(100.0 + 7 * DAY)
    assert sql("SELECT place FROM place") == []


def test_a_sweep_keeps_the_acts(store: Store) -> None:
    store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
    store.sweep(1000 * DAY)
    assert len(store.acts.recent("alice-id", 10)) == 1


def test_a_sweep_goes_on_until_all_is_done(store: Store, sql: Sql) -> None:
    values = ", ".join(f"('{number}', {number}, 'c', 'n', 's', 'reject')" for number in range(2500))
    sql(f"INSERT INTO journal (attempt, at, client, name, source, result) VALUES {values}")  # noqa: S608 - our own
    store.sweep(1000 * DAY)
    assert sql("SELECT count(*) FROM journal") == [(0,)]
