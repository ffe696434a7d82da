"""Backups of both databases, restored into both: every value comes back, or nothing does."""

import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Unavailable
from radius2fa.otp.token import Kind, Token
from radius2fa.store import backup as backups
from radius2fa.store.acts import Deed
from radius2fa.store.backup import back_up, header_of, read
from radius2fa.store.engine import SchemaTooNew, SchemaTooOld, Store
from radius2fa.store.restore import NotEmpty, restore
from radius2fa.store.schema import HEAD, metadata
from radius2fa.store.seal import BadKeyFile, KeyRing, new_key_text
from radius2fa.store.sealedfile import BadBackup, SealingFile, locked_to_key
from radius2fa.store.shape import PASSING, kept_tables_of, tables_of
from radius2fa.store.tokens import NewToken
from radius2fa.store.upgrade import upgrade, writing_engine
from tests.servers.postgres import Postgres
from tests.store.opening import KEYS, opened, postgres_settings, query, quiet
from tests.store.test_upgrade import KEYS as OLD_KEYS
from tests.store.test_upgrade import as_of_the_first_revision, as_of_the_second_revision

LOCK = locked_to_key(KEYS, os.urandom)
WHEN = 1000.5


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """The settings of a database without tables, to restore into."""
    if request.param == "sqlite":
        yield Settings(url=f"sqlite:///{tmp_path}/target.db", timeout=5.0)
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        name = postgres.create()
        yield postgres_settings(postgres, name, timeout=5.0)
        postgres.drop(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.backup"


def fill(store: Store) -> None:
    """Put rows into every table, with values that are hard to carry."""
    tokens = [
        NewToken(Token(f"t{n}", Kind.HOTP, os.urandom(20)), "alice-id", "alice", label="Zoë 📱 \\ \" '\n")
        for n in range(3)
    ]
    store.tokens.add_many(tokens, 1.25)
    store.tokens.add(NewToken(Token("stock", Kind.TOTP, os.urandom(20)), serial="SN-1"), 0.1 + 0.2)
    store.tokens.set_active("t1", False)  # noqa: FBT003 - the value that is set
    store.codes.new_recovery("alice-id", "alice", 2.0)


def rows(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """All rows that last, as Python's values."""
    engine = writing_engine(settings)
    try:
        with engine.connect() as connection:
            return {
                table.name: sorted(map(tuple, connection.execute(metadata.tables[table.name].select())), key=repr)
                for table in kept_tables_of(HEAD)
            }
    finally:
        engine.dispose()


def made(settings: Settings, file: Path, keys: KeyRing = KEYS) -> bytes:
    """Back up, and return the key of the file."""
    lock = locked_to_key(keys, os.urandom)
    back_up(settings, file, lock, WHEN, quiet)
    return lock.key


def test_every_value_comes_back_in_either_database(
    store: Store, settings: Settings, target: Settings, file: Path
) -> None:
    fill(store)
    store.accounts.unlock("alice-id")
    _put(settings)
    before = rows(settings)
    assert all(before[name] for name in ("account", "token", "act", "place")), "every sort of row"
    assert any(math.inf in row for row in before["account"])

    key = made(settings, file)
    contents = restore(target, file, key, KEYS, quiet)

    assert rows(target) == before
    assert contents.counts == {name: len(each) for name, each in before.items()}
    with closing(opened(target)) as restored:
        assert restored.tokens.secret("t0") == store.tokens.secret("t0")
        numbers = [number for (number, *_) in before["act"]]
        restored.note(Deed.RESTORED, WHEN, "the next act has a number of its own")
        after = [number for (number, *_) in rows(target)["act"]]
        assert max(after) == max(numbers) + 1


def _put(settings: Settings) -> None:
    """Put in what is hard to reach by the store's own means."""
    engine = writing_engine(settings)
    with engine.begin() as connection:
        connection.execute(
            metadata.tables["account"].insert(),
            {
                "subject": "bob-id",
                "name": "bob",
                "failures": 50,
                "code_failures": 50,
                "blocked_until": math.inf,
                "failure_digest": b"\0\xff'",
                "failure_at": 1e-7,
            },
        )
        connection.execute(
            metadata.tables["place"].insert(),
            {"place": "from 192.0.2.7", "failures": 1, "blocked_until": 0.0, "failure_at": 1764000000.123456},
        )
        connection.execute(metadata.tables["challenge"].insert(), {"id": "3eb1", "held": b"sealed", "expires": 1e12})
    engine.dispose()


def test_what_waits_in_logins_and_sessions_is_left_out(
    settings: Settings, target: Settings, file: Path, sql: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    _put(settings)
    contents = restore(target, file, made(settings, file), KEYS, quiet)
    assert sql("SELECT count(*) FROM challenge") == [(1,)]
    assert not PASSING & set(contents.counts)
    assert {"challenge", "session"} == PASSING


@pytest.mark.parametrize("upgraded", [False, True])
def test_the_empty_database_may_have_tables_already(
    sqlite_settings: Settings, target: Settings, file: Path, *, upgraded: bool
) -> None:
    with closing(opened(sqlite_settings)) as store:
        fill(store)
    if upgraded:
        upgrade(target, quiet)
    restore(target, file, made(sqlite_settings, file), KEYS, quiet)
    assert rows(target) == rows(sqlite_settings)


@pytest.mark.parametrize("table", ["account", "place", "challenge", "act"])
def test_a_database_with_any_row_is_left_alone(
    sqlite_settings: Settings, target: Settings, file: Path, table: str
) -> None:
    key = made(sqlite_settings, file)
    upgrade(target, quiet)
    engine = writing_engine(target)
    values = {
        "account": {"subject": "b", "name": "b", "failures": 0, "blocked_until": 0.0},
        "place": {"place": "p", "failures": 0, "blocked_until": 0.0, "failure_at": 0.0},
        "challenge": {"id": "c", "held": b"h", "expires": 0.0},
        "act": {"at": 0.0, "who": "w", "what": "token-added", "detail": ""},
    }
    with engine.begin() as connection:
        connection.execute(metadata.tables[table].insert(), values[table])
    engine.dispose()
    before = rows(target)
    with pytest.raises(NotEmpty, match=table):
        restore(target, file, key, KEYS, quiet)
    assert rows(target) == before


@pytest.mark.parametrize("filled", [as_of_the_first_revision, as_of_the_second_revision])
def test_a_backup_of_older_tables_is_restored_and_brought_up(
    filled: Callable[[Settings], Any], target: Settings, file: Path, tmp_path: Path
) -> None:
    older = Settings(url=f"sqlite:///{tmp_path}/older.db")
    filled(older).dispose()
    key = made(older, file, OLD_KEYS)
    lost = query(older, None, "SELECT id FROM token")  # 'lost' has a seed that nothing sealed
    assert header_of(file)["revision"] in {"0001", "0002"}
    with pytest.raises(BadKeyFile, match="27"):
        restore(target, file, key, OLD_KEYS, quiet)
    query(older, None, "UPDATE token SET seed = (SELECT seed FROM token WHERE id = 'phone')")
    file.unlink()
    restore(target, file, made_again(older, file), OLD_KEYS, quiet)
    upgrade(older, quiet)
    assert rows(target) == rows(older)
    assert len(lost) in {2, 4}
    opened(target, OLD_KEYS).close()


def made_again(settings: Settings, file: Path) -> bytes:
    return made(settings, file, OLD_KEYS)


def test_a_backup_of_a_newer_program_is_refused(target: Settings, file: Path) -> None:
    with file.open("wb") as out:
        SealingFile(out, {"form": 1, "revision": "9999", "made": WHEN, "by": "9"}, LOCK).close()
    with pytest.raises(SchemaTooNew, match="of revision 9999, this program knows"):
        restore(target, file, LOCK.key, KEYS, quiet)


def test_the_database_of_a_newer_program_is_neither_backed_up_nor_restored_into(
    sqlite_settings: Settings, file: Path
) -> None:
    key = made(sqlite_settings, file)
    query(sqlite_settings, None, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew):
        restore(sqlite_settings, file, key, KEYS, quiet)
    file.unlink()
    with pytest.raises(SchemaTooNew):
        back_up(sqlite_settings, file, LOCK, WHEN, quiet)
    assert not file.exists()


def test_nothing_is_no_database_to_back_up(tmp_path: Path, file: Path) -> None:
    with pytest.raises(SchemaTooOld):
        back_up(Settings(url=f"sqlite:///{tmp_path}/none.db"), file, LOCK, WHEN, quiet)
    assert list(tmp_path.iterdir()) == []


def test_damage_anywhere_is_found_before_anything_is_touched(
    sqlite_settings: Settings, tmp_path: Path, file: Path
) -> None:
    with closing(opened(sqlite_settings)) as store:
        for number in range(200):
            store.note(Deed.RESTORED, float(number), os.urandom(2000).hex())
    key = made(sqlite_settings, file)
    whole = file.read_bytes()
    assert len(whole) > 3 * 65536
    target = Settings(url=f"sqlite:///{tmp_path}/target.db")
    for damaged in (whole[:-1], whole[: len(whole) // 2], whole[:-3] + b"\0\0\0", whole + b"\0", whole[:-65536]):
        file.write_bytes(damaged)
        with pytest.raises(BadBackup):
            restore(target, file, key, KEYS, quiet)
        assert not (tmp_path / "target.db").exists()


def test_a_restore_that_fails_midway_leaves_nothing(
    store: Store, settings: Settings, target: Settings, file: Path
) -> None:
    fill(store)
    key = made(settings, file)
    upgrade(target, quiet)

    def fail(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        restore(target, file, key, KEYS, fail)
    assert set(map(len, rows(target).values())) == {0}
    restore(target, file, key, KEYS, quiet)
    assert rows(target) == rows(settings)


OUT_OF_TYPE = [
    "UPDATE act SET hash = 'text'",
    "UPDATE act SET hash = 5",
    "UPDATE act SET detail = X'ff00'",
    "UPDATE act SET at = 'x'",
    "UPDATE act SET sequence = 'x'",
    "UPDATE chain SET seal = 'x'",
    "UPDATE token SET seed = 'x'",
    "UPDATE token SET seed = X''",
    "INSERT INTO audit_key VALUES ('x', 7)",
]


@pytest.mark.parametrize("statement", OUT_OF_TYPE)
def test_a_value_of_another_type_spoils_no_backup(
    sqlite_settings: Settings, tmp_path: Path, file: Path, statement: str
) -> None:
    """SQLite takes it in any column, so one who may write there could make every later backup useless."""
    with closing(opened(sqlite_settings)) as store:
        fill(store)
    query(sqlite_settings, None, statement)
    target = Settings(url=f"sqlite:///{tmp_path}/target.db", timeout=5.0)
    restore(target, file, made(sqlite_settings, file), KEYS, quiet)
    for table in kept_tables_of(HEAD):
        every = f"SELECT * FROM {table.name} ORDER BY 1"  # noqa: S608 - our own
        assert query(target, None, every) == query(sqlite_settings, None, every)


@pytest.mark.parametrize("statement", [*OUT_OF_TYPE[3:5], "UPDATE act SET detail = 'a' || char(0)"])
def test_a_value_that_postgresql_does_not_take_is_refused_in_words(
    sqlite_settings: Settings, postgresql_settings: Settings, file: Path, statement: str
) -> None:
    with closing(opened(sqlite_settings)) as store:
        fill(store)
    query(sqlite_settings, None, statement)
    key = made(sqlite_settings, file)
    with pytest.raises(BadBackup, match="its table act holds what postgresql does not take"):
        restore(postgresql_settings, file, key, KEYS, quiet)
    assert set(map(len, rows(postgresql_settings).values())) == {0}


def test_a_token_of_nobody_is_refused_in_words(sqlite_settings: Settings, target: Settings, file: Path) -> None:
    with closing(opened(sqlite_settings)) as store:
        fill(store)
    query(sqlite_settings, None, "UPDATE token SET subject = 'ghost' WHERE id = 't0'")  # its foreign keys are off
    with pytest.raises(BadBackup, match=r"its table token holds what .* does not take"):
        restore(target, file, made(sqlite_settings, file), KEYS, quiet)


def test_tokens_whose_key_is_not_there_are_not_restored(
    store: Store, settings: Settings, tmp_path: Path, file: Path
) -> None:
    fill(store)
    key = made(settings, file)
    target = Settings(url=f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(BadKeyFile, match=r"sealed with key [0-9a-f]{8}, .* put the key file of that time back"):
        restore(target, file, key, KeyRing.parse(new_key_text(os.urandom)), quiet)
    assert not (tmp_path / "other.db").exists()


def test_a_backup_that_fails_leaves_no_file_under_any_name(store: Store, settings: Settings, tmp_path: Path) -> None:
    fill(store)
    folder = tmp_path / "backups"
    folder.mkdir()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        back_up(settings, folder / "a.backup", LOCK, WHEN, fail)
    assert list(folder.iterdir()) == []


def test_while_it_is_made_there_is_nothing_under_its_name_and_then_only_its_owner_may_read_it(
    store: Store, settings: Settings, file: Path
) -> None:
    fill(store)
    seen = []
    back_up(settings, file, LOCK, WHEN, lambda *_: seen.append(file.exists()))
    assert seen
    assert not any(seen)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_not_overwritten(sqlite_settings: Settings, file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(FileExistsError):
        back_up(sqlite_settings, file, LOCK, WHEN, quiet)
    assert file.read_text() == "mine"


def test_what_is_written_meanwhile_is_not_in_it_and_nobody_waits(
    store: Store, settings: Settings, target: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login is accepted, and a token is added, between two lines of the backup."""
    monkeypatch.setattr(backups, "ROWS", 1)
    fill(store)
    before = rows(settings)
    written = threading.Event()

    def meanwhile(*_: object) -> None:
        if not written.is_set():
            written.set()
            store.tokens.add(NewToken(Token("late", Kind.HOTP, os.urandom(20)), "carol-id", "carol"), 5.0)
            assert store.tokens.advance("t0", 7, 0, 6.0)

    back_up(settings, file, LOCK, WHEN, meanwhile)
    assert written.is_set()
    assert rows(settings) != before
    restore(target, file, LOCK.key, KEYS, quiet)
    assert rows(target) == before


def test_rows_go_through_memory_in_small_numbers(store: Store, settings: Settings, file: Path) -> None:
    for number in range(1201):
        store.note(Deed.RESTORED, float(number), "")
    key = made(settings, file)
    sizes: list[int] = []
    read(file, key, lambda some: sizes.append(len(some.rows)) if some.table.name == "act" else None)
    assert sizes == [500, 500, 201]


def test_texts_that_go_with_it_come_back(sqlite_settings: Settings, file: Path) -> None:
    back_up(sqlite_settings, file, LOCK, WHEN, quiet, files={"radius2fa.toml": "# ü\n"})
    assert read(file, LOCK.key, lambda _: None).files == {"radius2fa.toml": "# ü\n"}
    assert "ü".encode() not in file.read_bytes()


def test_a_server_that_does_not_answer_is_unavailable(file: Path) -> None:
    nobody = Settings(url="postgresql://radius2fa@127.0.0.1:1/none", timeout=1.0)
    with pytest.raises(Unavailable):
        back_up(nobody, file, LOCK, WHEN, quiet)
    assert not file.exists()


def test_the_shape_of_the_last_revision_is_the_schema() -> None:
    assert {table.name: {*table.columns.keys()} for table in tables_of(HEAD)} == {
        table.name: {*table.columns.keys()} for table in metadata.sorted_tables
    }
