"""`radius2fa explain` says of a login what the server then does with it, and changes nothing.

Every scene is explained first, and then logged in by radclient with the very same name, password and code.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from radius2fa.otp.token import YubiKey
from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import Person
from tests.end_to_end.radius import Shown
from tests.servers.slapd import GROUPS, Slapd, group_dn

FAILURES = 5
BLOCKED_ADDRESS = "198.51.100.99"
OFFICE = "192.0.2.7"

CLIENTS = (
    client("appended", "127.0.0.1"),
    client("challenge", "127.0.0.2", code="challenge"),
    client("either", "127.0.0.3", code="either"),
    client("closed", "127.0.0.4"),
    client("members", "127.0.0.5"),
    client("keys", "127.0.0.6"),
    client("told", "127.0.0.7"),
)

POLICIES: tuple[dict[str, Any], ...] = (
    {"name": "closed", "clients": ["closed"], "second_factor": "deny"},
    {"name": "members", "clients": ["members"], "required_groups": [group_dn("explained")]},
    {"name": "keys", "clients": ["keys"], "kinds": ["yubikey"]},
    {"name": "told", "clients": ["told"], "reply": {"Session-Timeout": {"ldap": "employeeNumber"}}},
    {"name": "office", "networks": ["192.0.2.0/24"], "second_factor": "off", "reply": {"Filter-Id": "office"}},
)


@dataclass(frozen=True)
class Typed:
    """What is typed at a login, and from where."""

    name: str
    password: bytes
    code: bytes = b""
    source: str = ""


@dataclass(frozen=True)
class Scene:
    """A login of somebody new, and how it ends: the outcome, and the reason or the factor."""

    make: Callable[[House, Person], Typed]
    outcome: str
    why: str | None
    client: str = "appended"
    token: bool = True


def plain(house: House, person: Person) -> Typed:  # noqa: ARG001 - as every scene
    return Typed(person.uid, person.password, person.codes[0])


def used(house: House, person: Person) -> Typed:
    assert house.come_in("appended", person, person.codes[3]).name == "Access-Accept"
    return Typed(person.uid, person.password, person.codes[3])


def locked(house: House, person: Person) -> Typed:
    house.logins("appended", [(person.uid, person.password + code) for code in person.wrong_codes(FAILURES)])
    return Typed(person.uid, person.password, person.codes[0])


def disabled(house: House, person: Person) -> Typed:
    house.disable(person)
    return Typed(person.uid, person.password, person.codes[0])


def expired(house: House, person: Person) -> Typed:
    assert house.store.tokens.set_valid(person.token, None, time.time() - 1)
    return Typed(person.uid, person.password, person.codes[0])


def unfit(house: House, person: Person) -> Typed:
    house.slapd.change(f"dn: {person.dn}\nchangetype: modify\nadd: employeeNumber\nemployeeNumber: soon\n")
    return Typed(person.uid, person.password, person.codes[0])


def bypassed(house: House, person: Person) -> Typed:
    now = time.time()
    house.store.accounts.bypass(person.subject, person.uid, now + 600, now)
    return Typed(person.uid, person.password)


def recovered(house: House, person: Person) -> Typed:
    code = house.store.codes.new_recovery(person.subject, person.uid, time.time())[0]
    return Typed(person.uid, person.password, code.encode())


def touching(house: House, person: Person) -> Typed:
    """A code of Yubico's test vectors."""
    aes, private = bytes.fromhex("000102030405060708090a0b0c0d0e0f"), bytes.fromhex("010203040506")
    house.give(person, YubiKey(f"key of {person.uid}", "ccccccccnnnn", aes, private))
    return Typed(person.uid, person.password, b"ccccccccnnnn" + b"dvgtiblfkbgturecfllberrvkinnctnn")


def out_of_step(house: House, person: Person) -> Typed:  # noqa: ARG001 - as every scene
    return Typed(person.uid, person.password, person.codes[60])


SCENES = {
    "password and code": Scene(plain, "accept", "hotp"),
    "password, then code": Scene(plain, "accept", "hotp", "challenge"),
    "either": Scene(plain, "accept", "hotp", "either"),
    "a YubiKey": Scene(touching, "accept", "yubikey", "keys"),
    "a recovery code": Scene(recovered, "accept", "recovery"),
    "a bypass": Scene(bypassed, "accept", "bypass"),
    "in the office": Scene(lambda _, p: Typed(p.uid, p.password, source=OFFICE), "accept", "off", token=False),
    "no code yet": Scene(lambda _, p: Typed(p.uid, p.password), "challenge", None, "challenge"),
    "a wrong code": Scene(lambda _, p: Typed(p.uid, p.password, p.wrong_code()), "reject", "wrong-code"),
    "no code": Scene(lambda _, p: Typed(p.uid, p.password), "reject", "no-code"),
    "a used code": Scene(used, "reject", "code-already-used"),
    "out of step": Scene(out_of_step, "reject", "token-out-of-step"),
    "a wrong password": Scene(lambda _, p: Typed(p.uid, b"wrong", p.codes[0]), "reject", "wrong-password"),
    "nobody": Scene(lambda _, p: Typed("un" + p.uid, p.password, b"123456"), "reject", "no-such-user"),
    "no token": Scene(lambda _, p: Typed(p.uid, p.password, b"123456"), "reject", "no-token", token=False),
    "locked": Scene(locked, "reject", "locked-out"),
    "disabled": Scene(disabled, "reject", "token-disabled"),
    "expired": Scene(expired, "reject", "token-expired", "challenge"),
    "denied": Scene(plain, "reject", "denied-by-policy", "closed"),
    "no member": Scene(plain, "reject", "not-in-required-group", "members"),
    "a kind that is not allowed": Scene(plain, "reject", "kind-not-allowed", "keys"),
    "an entry that does not fit": Scene(unfit, "reject", "reply-attribute-unusable", "told"),
    "a blocked address": Scene(
        lambda _, p: Typed(p.uid, p.password, p.codes[0], BLOCKED_ADDRESS), "reject", "too-many-unknown-names"
    ),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready) -> Iterator[House]:
    slapd.add_group("explained", "cn=nobody")
    more = [*(("[[policy]]", policy) for policy in POLICIES), ("[lockout]", {"unknown_names": 2, "delay": 600})]
    directory = directory_section(slapd, group_base=GROUPS)
    folder = tmp_path_factory.mktemp("explain")
    with House(folder, slapd, ready, clients=CLIENTS, directory=directory, more=more) as house:
        for name in ("stranger-1", "stranger-2"):
            told = f"Calling-Station-Id = {BLOCKED_ADDRESS}"
            assert house.radclient("appended", name, b"whatever123456", told).name == "Access-Reject"
        yield house


@pytest.fixture(scope="module")
def typed(house: House) -> dict[str, Typed]:
    """What is typed in each scene, which is set up by this."""
    return {name: scene.make(house, house.person(token=scene.token)) for name, scene in SCENES.items()}


@dataclass(frozen=True)
class Explained:
    """What `explain` says of the scenes, and all rows of the database before that and after."""

    by_scene: dict[str, Any]
    before: list[str]
    after: list[str]


@pytest.fixture(scope="module")
def explained(house: House, typed: dict[str, Typed]) -> Explained:
    before = rows(house)
    with ThreadPoolExecutor(2) as pool:
        by_scene = dict(
            zip(SCENES, pool.map(lambda name: explain(house, SCENES[name], typed[name]), SCENES), strict=True)
        )
    return Explained(by_scene, before, rows(house))


def explain(house: House, scene: Scene, typed: Typed) -> Any:
    options = ["--client", scene.client, *(["--from", typed.source] if typed.source else [])]
    done = house.program.run(
        "explain",
        typed.name,
        *options,
        "--json",
        stdin=f"{typed.password.decode()}\n{typed.code.decode()}\n",
        expect=0 if scene.outcome == "accept" else 1,
    )
    return json.loads(done.stdout[done.stdout.index("{") :])


def rows(house: House) -> list[str]:
    """Every row of every table, as SQL."""
    with closing(sqlite3.connect(f"file:{house.program.database}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


@pytest.fixture(scope="module")
def done(house: House, typed: dict[str, Typed], explained: Explained) -> dict[str, Shown]:  # noqa: ARG001 - comes first
    """What radclient gets for the same."""
    return {name: log_in(house, scene.client, typed[name]) for name, scene in SCENES.items()}


def log_in(house: House, name: str, typed: Typed) -> Shown:
    told = [f"Calling-Station-Id = {typed.source}"] if typed.source else []
    if house.clients[name].get("code", "appended") == "appended":
        return house.radclient(name, typed.name, typed.password + typed.code, *told)
    asked = house.radclient(name, typed.name, typed.password, *told)
    if not typed.code:
        return asked
    return house.radclient(name, typed.name, typed.code, f"State = {asked.one('State')}", *told)


@pytest.mark.parametrize("scene", SCENES)
def test_what_is_explained_is_what_happens(
    scene: str, house: House, typed: dict[str, Typed], explained: Explained, done: dict[str, Shown]
) -> None:
    expected, said = SCENES[scene], explained.by_scene[scene]
    outcomes = {"Access-Accept": "accept", "Access-Reject": "reject", "Access-Challenge": "challenge"}

    assert (said["outcome"], outcomes[done[scene].name]) == (expected.outcome, expected.outcome)
    result, reason, factor, _ = house.last(typed[scene].name)
    assert (result, said["reason"]) == (expected.outcome, reason)
    if expected.outcome == "accept":
        assert factor == expected.why
        assert said["words"].startswith(f"The login would be accepted ({factor})")
    else:
        assert reason == expected.why


def test_what_the_client_would_be_told_is_explained(explained: Explained, done: dict[str, Shown]) -> None:
    assert done["in the office"].told == (("Filter-Id", "office"),)
    assert explained.by_scene["in the office"]["words"].endswith("with Filter-Id = office.")


def test_explaining_changes_nothing(explained: Explained) -> None:
    assert explained.after == explained.before
    assert any('INSERT INTO "journal"' in row for row in explained.before), "there is something to change"
