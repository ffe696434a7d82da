"""The master key changes beside a running server, and is killed in the middle; every token works at every moment."""

import random
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from radius2fa.otp.token import Kind, Token
from radius2fa.store.seal import KeyRing
from radius2fa.store.tokens import NewToken
from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.radius import ACCEPT
from tests.end_to_end.reloading import Reloading
from tests.servers.program import EXECUTABLE
from tests.servers.slapd import Slapd

CLIENTS = (client("appended", "127.0.0.1"),)
KILLS = 8
STOCK = 6000  # tokens, so that sealing them anew takes long enough to be killed in


@pytest.fixture
def house(slapd: Slapd, ready: Ready, tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("rotation"), slapd, ready, clients=CLIENTS)


def keys(house: House) -> tuple[str, ...]:
    return KeyRing.read(house.program.key_file).names


def kill_rotating(house: House, seconds: float, *, at_work: bool) -> bool:
    """Begin the second step, kill it with SIGKILL after so long, and tell whether it was still at it.

    With `at_work`, the seconds count from when it begins to seal.
    """
    before = left(house)
    command = [str(EXECUTABLE), "--config", str(house.program.config), "key", "rotate", "--continue"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as rotating:
        while at_work and rotating.poll() is None and left(house) == before:
            time.sleep(0.005)
        time.sleep(seconds)
        ended = rotating.poll()
        rotating.kill()
    return ended is None


def left(house: House) -> int:
    """How many tokens are not yet sealed with the key that most of them will be."""
    old = house.query("SELECT hex(substr(seed, 2, 4)) FROM token WHERE id = 'zz-last'")[0][0]
    return int(house.query("SELECT count(*) FROM token WHERE hex(substr(seed, 2, 4)) = ?", old)[0][0])


def test_a_rotation_that_is_killed_at_random_moments_loses_no_token(house: House) -> None:
    people = [house.person() for _ in range(6)]
    stock = [NewToken(Token(f"stock{number}", Kind.TOTP, bytes(20))) for number in range(STOCK - 1)]
    stock.append(NewToken(Token("zz-last", Kind.TOTP, bytes(20))))
    house.store.tokens.add_many(stock, 1.0)
    (old,) = keys(house)
    house.program.run("key", "rotate")
    first, new = keys(house)
    assert first == old
    moments, midway, killed = random.Random(6238), 0, 0  # noqa: S311 - moments, no keys
    with house:  # which knows both keys from here on
        for number in range(KILLS):
            at_work = number < KILLS // 2  # first: later there may be nothing left to be killed at
            killed += kill_rotating(house, moments.uniform(0.0, 0.05 if at_work else 3.0), at_work=at_work)
            midway += 0 < left(house) < len(people) + STOCK
            typed = [(each.uid, each.typed()) for each in people]
            assert set(house.logins("appended", typed)) == {ACCEPT}
            assert set(keys(house)) == {old, new}
        assert (killed > 2, midway > 0) == (True, True)
        house.program.run("key", "rotate", "--continue")
        assert keys(house) == (new, old)
    house.program.start()
    assert f"Key {old} was taken out" in house.program.run("key", "rotate", "--finish").stdout
    assert keys(house) == (new,)
    house.program.stop()
    with house:
        assert set(house.logins("appended", [(each.uid, each.typed()) for each in people])) == {ACCEPT}
    assert leftovers(house.program.key_file) == []
    proven(house, logins=(KILLS + 1) * len(people), keys=2)


def proven(house: House, *, logins: int, keys: int) -> None:
    """The record was written under so many keys, and is proven with the last of them."""
    assert house.query("SELECT count(*), count(DISTINCT substr(hash, 2, 4)) FROM journal") == [(logins, keys)]
    (acts,) = house.query("SELECT count(*) FROM act")[0]
    assert house.program.run("audit", "verify").stdout.startswith(f"{logins + acts} rows in ")


def test_after_two_rotations_that_were_killed_the_newest_key_proves_every_row(house: House) -> None:
    alice, moments, killed = house.person(), random.Random(2104), 0  # noqa: S311 - moments, no keys
    for _ in range(2):
        with house:
            assert house.radclient("appended", alice.uid, alice.typed()).name == "Access-Accept"
        (old,) = keys(house)
        house.program.run("key", "rotate")
        house.program.run("key", "rotate", "--continue")
        for _ in range(KILLS):
            if len(keys(house)) == 1:
                break
            killed += kill_finishing(house, moments.uniform(0.3, 1.0))
            assert "proven" in house.program.run("audit", "verify").stdout
        house.program.run("key", "rotate", "--finish")
        assert (len(keys(house)), old in keys(house)) == (1, False)
    with house:
        assert house.radclient("appended", alice.uid, alice.typed()).name == "Access-Accept"
    assert killed > 1
    proven(house, logins=3, keys=3)
    with closing(sqlite3.connect(house.program.database)) as connection, connection:
        connection.execute("UPDATE journal SET name = 'mallory' WHERE number = 1")
    said = house.program.run("audit", "verify", expect=1).stdout
    assert said.startswith("changed: journal of ")
    assert "place 1, row 1" in said


def kill_finishing(house: House, seconds: float) -> bool:
    """Begin the third step, kill it with SIGKILL after so long, and tell whether it was still at it."""
    command = [str(EXECUTABLE), "--config", str(house.program.config), "key", "rotate", "--finish"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as finishing:
        with suppress(subprocess.TimeoutExpired):
            finishing.wait(seconds)
        ended = finishing.poll()
        finishing.kill()
    return ended is None


def leftovers(key_file: Path) -> list[Path]:
    return list(key_file.parent.glob(f".{key_file.name}.*"))


def test_a_server_that_does_not_know_the_new_key_is_not_shut_out(house: House) -> None:
    alice = house.person()
    with house:
        (old,) = keys(house)
        house.program.run("key", "rotate")
        _, new = keys(house)
        refused = house.program.run("key", "rotate", "--continue", expect=1).stderr
        assert f"goes by the keys {old}, and {house.program.key_file} has {old}, {new}: first reload every server" in (
            refused
        )
        assert "waits in" in house.program.run("key", "rotate", expect=1).stderr
        assert house.radclient("appended", alice.uid, alice.typed()).name == "Access-Accept"


def test_a_reload_is_enough_for_a_server_to_go_through_all_three_steps(house: House) -> None:
    alice = house.person()
    with house:
        reloading = Reloading(house)
        house.program.run("key", "rotate")
        for step in ("--continue", "--finish"):
            assert reloading.reload()["event"] == "reloaded"
            assert house.radclient("appended", alice.uid, alice.typed()).name == "Access-Accept"
            house.program.run("key", "rotate", step)
        assert reloading.reload()["event"] == "reloaded"
        assert house.radclient("appended", alice.uid, alice.typed()).name == "Access-Accept"
        assert len(keys(house)) == 1
    house.program.run("audit", "verify")


def test_an_old_key_stays_for_recovery_codes_until_they_are_replaced(house: House) -> None:
    alice = house.person()
    codes = house.store.codes.new_recovery(alice.subject, alice.uid, time.time())
    house.program.run("key", "rotate")
    house.program.run("key", "rotate", "--continue")
    new, old = keys(house)
    told = house.program.run("key", "rotate", "--finish", expect=1).stdout
    assert f"{alice.uid} (recovery)" in told
    assert keys(house) == (new, old)
    with house:
        shown = house.radclient("appended", alice.uid, alice.password + codes[0].encode())
        assert shown.name == "Access-Accept"
    house.store.close()
    house.program.run("user", "recovery-codes", alice.uid, stdin="y\n")
    assert "was taken out" in house.program.run("key", "rotate", "--finish").stdout
    assert keys(house) == (new,)
