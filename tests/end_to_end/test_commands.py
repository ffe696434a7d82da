"""The path of somebody who installs the program: init, edit, check, serve, token add, log in; and what may be wrong."""

import base64
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from radius2fa.store.seal import new_key_text
from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import totp_code
from tests.end_to_end.radius import ACCEPT, REJECT, radtest
from tests.radius import wire
from tests.servers.program import EXECUTABLE, LOOPBACK_CLIENT, Program, Section
from tests.servers.slapd import ADMIN, Slapd

CLIENT = client("vpn", "127.0.0.1")
ENDS_WITHIN = 5.0  # seconds after SIGTERM


@pytest.fixture
def own_slapd() -> Iterator[Slapd]:
    """One that may be stalled."""
    with Slapd() as slapd:
        yield slapd


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def edited(text: str, **values: str) -> str:
    """Set keys in the commented sample as an administrator does: take the # away, put another value there."""
    for key, value in values.items():
        text, found = re.subn(rf"(?m)^#?{key} = .*$", f"{key} = {value}", text, count=1)
        assert found == 1, key
    return text


def test_from_init_to_the_first_login(folder: Path, slapd: Slapd) -> None:
    slapd.add_person("stranger", "her password")
    config, key, state = folder / "etc" / "radius2fa.toml", folder / "etc" / "master.key", folder / "state"
    init = [EXECUTABLE, "init", "--config", config, "--state", state]
    made = subprocess.run(init, capture_output=True, text=True, check=True)
    assert re.sub(r"\s", "", str(config)) in re.sub(r"[\s│]", "", made.stdout)
    assert (mode(config), mode(key), mode(state / "radius2fa.db")) == (0o600, 0o400, 0o600)
    before = config.read_bytes(), key.read_bytes()
    again = subprocess.run(init, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "nothing was written" in again.stderr
    assert (config.read_bytes(), key.read_bytes()) == before

    url = f'["ldap://127.0.0.1:{slapd.port}"]'
    config.write_text(
        edited(config.read_text(), urls=url, start_tls="false", listen='["127.0.0.1:0"]', format='"json"')
    )
    program = Program(config.parent, None)
    assert "All is well." in program.run("check").stdout
    added = program.run("token", "add", "stranger")
    seed = re.search(r"Secret: (.*)", added.stdout)
    assert seed is not None
    with program.start():
        code = totp_code(base64.b32decode(seed[1].replace(" ", "")))
        secret = tomllib.loads(config.read_text())["client"][0]["secret"]
        shown = radtest("stranger", "her password" + code.decode(), program.port, secret)
        assert shown.name == "Access-Accept"
        (login,) = json.loads(program.run("user", "show", "stranger", "--json").stdout)["logins"]
        assert (login["client"], login["result"], login["reason"]) == ("localhost", "accept", None)
        assert program.stop() == 0


def test_a_token_is_resynchronised_and_the_second_code_is_used_up(house: House) -> None:
    alice = house.person()
    done = house.program.run(
        "token",
        "resync",
        alice.token,
        "--look",
        "130",
        stdin=f"{alice.codes[120].decode()}\n{alice.codes[121].decode()}\n",
    )
    assert "in step again" in done.stdout
    with house.nas("appended") as nas:
        assert nas.login(alice.uid, alice.password + alice.codes[121]).code == REJECT
        assert nas.login(alice.uid, alice.password + alice.codes[122]).code == ACCEPT
    house.program.run("token", "resync", alice.token, stdin="123456\n654321\n", expect=1)


YUBIKEY_SECRET = "010203040506 000102030405060708090a0b0c0d0e0f"
TOUCHES = [  # of Yubico's tables: use counter 1 with session counters 1 and 2, and use counter 4095
    b"dvgtiblfkbgturecfllberrvkinnctnn",
    b"rnibcnfhdninbrdebccrndfhjgnhftee",
    b"iikkijbdknrrdhfdrjltvgrbkkjblcbh",
]


def factors(house: House, uid: str) -> list[tuple[str, str | None]]:
    """What the helpdesk sees of somebody's logins, the newest first: how each ended, and by which factor."""
    shown = json.loads(house.program.run("user", "show", uid, "--json").stdout)
    return [(login["result"], login["factor"]) for login in shown["logins"]]


def test_a_recovery_code_of_the_list_logs_in_once(house: House) -> None:
    alice = house.person()
    made = json.loads(house.program.run("user", "recovery-codes", alice.uid, "--json").stdout)
    first, second, *_ = (code.encode() for code in made["codes"])
    with house.nas("appended") as nas:
        assert nas.login(alice.uid, alice.password + first).code == ACCEPT
        assert nas.login(alice.uid, alice.password + first).code == REJECT
        assert nas.login(alice.uid, alice.password + second.upper().replace(b"-", b"")).code == ACCEPT
    shown = json.loads(house.program.run("user", "show", alice.uid, "--json").stdout)
    assert shown["recovery_codes_left"] == 8
    assert factors(house, alice.uid) == [("accept", "recovery"), ("reject", None), ("accept", "recovery")]


def test_a_temporary_code_logs_in_as_often_as_it_says(house: House) -> None:
    bob = house.person(token=False)
    made = house.program.run("user", "temp-code", bob.uid, "--uses", "2", "--json")
    code = json.loads(made.stdout)["code"].encode()
    with house.nas("appended") as nas:
        for answer in (ACCEPT, ACCEPT, REJECT):
            assert nas.login(bob.uid, bob.password + code).code == answer
    assert factors(house, bob.uid)[-1] == ("accept", "temporary")
    code = json.loads(house.program.run("user", "temp-code", bob.uid, "--json").stdout)["code"].encode()
    house.program.run("user", "temp-code", bob.uid, "--revoke")
    with house.nas("appended") as nas:
        assert nas.login(bob.uid, bob.password + code).code == REJECT


def test_a_bypass_lets_the_password_alone_in_until_it_is_ended(house: House) -> None:
    alice = house.person()
    with house.nas("appended") as nas:
        assert nas.login(alice.uid, alice.password).code == REJECT
        house.program.run("user", "bypass", alice.uid, "--for", "30m")
        assert nas.login(alice.uid, alice.password).code == ACCEPT
        assert nas.login(alice.uid, b"wrong").code == REJECT
        status = json.loads(house.program.run("status", "--json").stdout)
        assert [bypass["subject"] for bypass in status["bypasses"]] == [alice.subject]
        house.program.run("user", "bypass", alice.uid, "--end")
        assert nas.login(alice.uid, alice.password).code == REJECT
    assert factors(house, alice.uid)[2] == ("accept", "bypass")


def test_a_yubikey_out_of_the_stock_logs_its_new_owner_in(house: House) -> None:
    former, alice = house.person(token=False), house.person(token=False)
    options = ("--kind", "yubikey", "--public-id", "vvccccbhkcjd", "--seed-file", "-", "--serial", "4711")
    house.program.run("token", "add", former.uid, *options, stdin=YUBIKEY_SECRET)
    house.program.run("token", "unassign", "4711")
    first, second, third = (b"vvccccbhkcjd" + touch for touch in TOUCHES)
    house.program.run("token", "assign", "4711", alice.uid, "--confirm", stdin=first.decode() + "\n")
    with house.nas("appended") as nas:
        assert nas.login(alice.uid, alice.password + first).code == REJECT  # used up by the confirmation
        assert nas.login(former.uid, former.password + second).code == REJECT
        assert nas.login(alice.uid, alice.password + second).code == ACCEPT
        house.program.run("token", "valid", "4711", "--until", "2001-01-01")
        assert nas.login(alice.uid, alice.password + third).code == REJECT
        house.program.run("token", "valid", "4711", "--always")
        assert nas.login(alice.uid, alice.password + third.upper()).code == ACCEPT
    assert factors(house, alice.uid)[0] == ("accept", "yubikey")


def test_the_helpdesk_sees_why_a_login_was_refused(house: House) -> None:
    alice = house.person()
    with house.nas("appended") as nas:
        assert nas.login(alice.uid, alice.password, (31, b"198.51.100.7")).code == REJECT

    shown = json.loads(house.program.run("user", "show", alice.uid.upper(), "--json").stdout)

    (login,) = shown["logins"]
    assert (shown["name"], shown["subject"], shown["dn"]) == (alice.uid, alice.subject, alice.dn)
    assert (login["result"], login["reason"], login["source"]) == ("reject", "no-code", "198.51.100.7")
    assert [token["id"] for token in shown["tokens"]] == [alice.token]


def test_sigterm_while_logins_are_in_flight(own_slapd: Slapd, folder: Path, ready: Ready) -> None:
    """They are answered, and the process ends in time with 0. What comes after SIGTERM is left to another server."""
    with House(folder, own_slapd, ready, clients=[CLIENT], directory=directory_section(own_slapd, timeout=5)) as house:
        people = [house.person() for _ in range(12)]
        with house.nas("vpn") as nas:
            for person in people:  # so that what follows stalls in the bind
                assert nas.login(person.uid, person.password).code == REJECT
            own_slapd.stall()
            asked = [nas.request(person.uid, person.typed()) for person in people]
            asked += [nas.request(person.uid, person.password) for person in people]
            for each in [*asked, asked[0]]:
                nas.send(each)
            house.program.wait_for(lambda line: line.get("why") == "repeat-while-in-progress")
            began = time.monotonic()
            os.kill(house.program.pid, signal.SIGTERM)
            (stopping,) = house.program.wait_for(lambda line: line.get("event") == "stopping")
            late = nas.request(people[0].uid, people[0].typed())
            nas.send(late)
            own_slapd.resume()

            assert house.program.wait() == 0
            assert time.monotonic() - began < ENDS_WITHIN
            assert len(people) <= stopping["under_way"] <= len(asked)
            by_identifier = {octets[1]: octets for octets in nas.pending()}
            codes = [wire.check_reply(by_identifier[each.identifier], each).code for each in asked]
            assert codes == [ACCEPT] * len(people) + [REJECT] * len(people)
            assert late.identifier not in by_identifier


def test_sigterm_while_the_directory_hangs(own_slapd: Slapd, folder: Path, ready: Ready) -> None:
    directory = directory_section(own_slapd, timeout=20)
    server: Section = {"patience": 30}
    with House(folder, own_slapd, ready, clients=[CLIENT], directory=directory, server=server) as house:
        alice = house.person()
        with house.nas("vpn") as nas:
            own_slapd.stall()
            asked = nas.request(alice.uid, alice.typed())
            nas.send(asked)
            nas.send(asked)
            house.program.wait_for(lambda line: line.get("why") == "repeat-while-in-progress")
            began = time.monotonic()
            assert house.program.stop() == 0
            assert time.monotonic() - began < ENDS_WITHIN + 1
            assert nas.silent()
        assert house.counter(alice) == 0


def test_systemd_is_told_when_the_server_is_ready_and_when_it_stops(folder: Path, slapd: Slapd, ready: Ready) -> None:
    program = Program(folder, directory_section(slapd)).adopt(ready.key, ready.database)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(10)
        with program.start(NOTIFY_SOCKET=str(folder / "notify")):
            assert systemd.recv(100) == b"READY=1"
            assert program.stop() == 0
            assert systemd.recv(100) == b"STOPPING=1"


def test_starting_twice_says_that_the_port_is_taken(folder: Path, slapd: Slapd, ready: Ready) -> None:
    port = free_udp_port()
    server: Section = {"listen": [f"127.0.0.1:{port}"]}
    program = Program(folder, directory_section(slapd), server=server).adopt(ready.key, ready.database)
    with program.start():
        second = program.run("serve", expect=69)
        assert f"127.0.0.1:{port}" in second.stderr
        assert "in use" in second.stderr
        assert "Traceback" not in second.stderr
        verdict, text = program.check()[f"listen 127.0.0.1:{port}"]
        assert (verdict, text[-len(f"(process {program.pid})") :]) == ("ok", f"(process {program.pid})")


def no_tables(program: Program) -> None:
    program.database.write_bytes(b"")


def no_database(program: Program) -> None:
    program.database.unlink()


def newer_tables(program: Program) -> None:
    with closing(sqlite3.connect(program.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def no_key(program: Program) -> None:
    program.key_file.unlink()


def open_key(program: Program) -> None:
    program.key_file.chmod(0o444)


def half_a_key(program: Program) -> None:
    program.key_file.chmod(0o600)
    program.key_file.write_text(program.key_file.read_text()[:20] + "\n")
    program.key_file.chmod(0o400)


DAMAGES: list[tuple[Callable[[Program], None], str]] = [
    (no_tables, "radius2fa db upgrade"),
    (no_database, "radius2fa db upgrade"),
    (newer_tables, "install its newer version"),
    (no_key, "radius2fa init"),
    (open_key, "chmod 0400"),
    (half_a_key, "line 1 is not the base64 of 32 octets"),
]


def test_a_state_that_cannot_be_used_is_refused_with_the_remedy(
    tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready
) -> None:
    def serve(damage: Callable[[Program], None]) -> str:
        program = Program(tmp_path_factory.mktemp("state"), directory_section(slapd)).adopt(ready.key, ready.database)
        damage(program)
        return program.run("serve", expect=78).stderr

    with ThreadPoolExecutor(2) as pool:
        for (damage, says), text in zip(DAMAGES, pool.map(serve, [damage for damage, _ in DAMAGES]), strict=True):
            assert says in text, damage.__name__
            assert text.count("\n") == 1, "one line, no traceback"


def test_a_foreign_master_key_keeps_the_server_from_starting_and_is_named(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    house = House(folder, slapd, ready, clients=[CLIENT])
    alice = house.person()
    house.program.key_file.chmod(0o600)
    house.program.key_file.write_text(new_key_text(os.urandom))
    house.program.key_file.chmod(0o400)
    for command in (["serve"], ["token", "qr", alice.token]):
        refused = house.program.run(*command, expect=78)
        assert re.search(r"sealed with key [0-9a-f]{8}, which is not in the master key file", refused.stderr)
    checked = house.program.run("check", expect=78)
    assert "which is not in the master key file" in checked.stdout


@pytest.fixture(scope="module")
def taken() -> Iterator[str]:
    """An address on which somebody else listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{other.getsockname()[1]}"


def test_check_finds_each_fault(
    tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready, taken: str
) -> None:
    """What has to be changed ends with 78, what may come back by itself with 69; a warning is no failure."""
    url = f"ldap://127.0.0.1:{slapd.port}"
    weak: Section = {**LOOPBACK_CLIENT, "secret": "testing123"}
    unknown = [("[[policy]]", {"name": "p"}), ("[policy.reply]", {"Filter-Ids": "x"})]
    cases: list[tuple[dict[str, Any], dict[str, Any], int, str, str]] = [
        ({"urls": ["ldap://127.0.0.1:1"]}, {}, 69, "ldap://127.0.0.1:1 connection", "Is the server running"),
        ({"base": "ou=nobody,dc=example,dc=org"}, {}, 69, f"{url} base", "cannot be read"),
        ({"bind_dn": ADMIN, "bind_password": "not this"}, {}, 69, f"{url} service account", "Correct `bind_dn`"),
        ({}, {"server": {"listen": [taken]}}, 78, f"listen {taken}", "taken by"),
        ({}, {"more": unknown}, 78, "radius2fa.toml", "is it Filter-Id"),
        ({}, {"clients": [weak]}, 0, "radius2fa.toml", "can be guessed"),
    ]

    def check(case: tuple[dict[str, Any], dict[str, Any], int, str, str]) -> None:
        directory, others, code, subject, says = case
        folder = tmp_path_factory.mktemp("check")
        program = Program(folder, directory_section(slapd, **directory), **others).adopt(ready.key, ready.database)
        told = [text for about, (_, text) in program.check(code).items() if subject in about]
        assert any(says in text for text in told), (subject, told)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(check, cases))


def test_every_fault_of_a_file_is_named_at_once_by_check_and_by_serve(folder: Path, ready: Ready, slapd: Slapd) -> None:
    program = Program(folder, directory_section(slapd)).adopt(ready.key, ready.database)
    text = program.config.read_text()
    text = text.replace("start_tls = false", "start_tls = 2\ntimeuot = 3")
    text = text.replace('"127.0.0.1", "::1"', '"loopback"')
    program.config.write_text(text)
    with ThreadPoolExecutor() as pool:
        check, serve = pool.map(
            lambda command: program.run(*command, expect=78), [("check", "--json", "--offline"), ("serve",)]
        )
    faults = [one["message"] for one in json.loads(check.stdout)["checks"] if one["verdict"] == "fault"]
    assert [fault.partition(":")[0] for fault in faults] == [
        "directory[1].start_tls",
        "directory[1].timeuot",
        "client[1].addresses[1]",
    ]
    lines = {
        text.split("\n").index(line) + 1 for line in text.split("\n") if re.match("start_tls|timeuot|addresses", line)
    }
    for line in lines:
        assert f"{program.config}:{line}: " in serve.stderr
    assert "Did you mean timeout?" in serve.stderr
    assert "3 faults" in serve.stderr
