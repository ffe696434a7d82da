"""What every directory promises, held against LDAP over a real slapd and against the fake that other tests use."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.wanted import Wanted
from radius2fa.login.ports import BindResult, Directory, Entry, NotFound
from tests.directory.conftest import Clock, Tools
from tests.fakes.directory import FakeDirectory
from tests.servers.slapd import PEOPLE, Slapd, group_dn, ldif, person_dn, person_ldif

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class World:
    """A directory, and how to change what is in it.

    `add_with` adds a person with attributes, `join` makes one the only member of a new group. Wanted are groups,
    `mail` and `title`.
    """

    directory: Directory
    add: Callable[[str, str | bytes], object]
    add_with: Callable[[str, Mapping[str, tuple[str, ...]]], object]
    join: Callable[[str, str], object]
    people: Callable[[], Iterator[Entry]]
    rename: Callable[[str, str], None]
    clock: Clock

    def find(self, name: str) -> Entry | NotFound:
        return self.directory.find(name, self.clock.soon())

    def known(self, name: str) -> Entry:
        entry = self.find(name)
        assert isinstance(entry, Entry)
        return entry

    def bind(self, entry: Entry, password: bytes) -> BindResult:
        return self.directory.bind(entry, password, self.clock.soon())


@pytest.fixture(params=["fake", "slapd"])
def world(request: pytest.FixtureRequest, clock: Clock, tools: Tools) -> Iterator[World]:
    if request.param == "fake":
        fake = FakeDirectory()
        yield World(
            fake,
            fake.add,
            lambda name, attributes: fake.add(name, "password", attributes=attributes),
            lambda name, group: fake.join(name, group_dn(group)),
            fake.people,
            fake.rename,
            clock,
        )
        return
    slapd: Slapd = request.getfixturevalue("slapd")
    wanted = Wanted(groups=True, attributes=frozenset({"Mail", "title"}))
    directory = LdapDirectory(tools.settings(slapd.uri, ca_file=slapd.ca_file), clock, wanted)
    yield World(
        directory,
        slapd.add_person,
        lambda name, attributes: slapd.change(_with_attributes(name, attributes), "-a"),
        lambda name, group: slapd.add_group(group, person_dn(name)),
        directory.people,
        slapd.rename,
        clock,
    )
    directory.close()


def _with_attributes(name: str, attributes: Mapping[str, tuple[str, ...]]) -> str:
    values = "".join(f"{key}: {value}\n" for key, each in attributes.items() for value in each)
    return person_ldif(name, "password").rstrip("\n") + f"\n{values}\n"


@pytest.fixture
def uid() -> str:
    """A name that nobody has yet: the server is shared."""
    return f"person{next(_numbers)}"


def test_a_person_is_found_by_name(world: World, uid: str) -> None:
    world.add(uid, "password")
    entry = world.known(uid)
    assert (entry.name, entry.typed) == (uid, uid)
    assert entry.dn == f"uid={uid},{PEOPLE}"
    assert entry.subject == entry.subject.lower() != ""


def test_a_name_in_another_spelling_leads_to_the_same_subject(world: World, uid: str) -> None:
    world.add(uid, "password")
    entry = world.known(f" {uid.upper()} ")
    assert entry.subject == world.known(uid).subject
    assert (entry.name, entry.typed) == (uid, f" {uid.upper()} ")


def test_nobody_is_unknown(world: World, uid: str) -> None:
    assert world.find(uid) is NotFound.UNKNOWN


@pytest.mark.parametrize("name", ["", "  "])
def test_a_name_of_nothing_is_unknown(world: World, name: str) -> None:
    assert world.find(name) is NotFound.UNKNOWN


def test_an_asterisk_is_a_name_and_no_wildcard(world: World, uid: str) -> None:
    world.add(uid, "password")
    assert world.find("*") is NotFound.UNKNOWN
    assert world.find(f"{uid}*") is NotFound.UNKNOWN


def test_a_right_password_is_ok_and_a_wrong_one_is_not(world: World, uid: str) -> None:
    world.add(uid, "password")
    entry = world.known(uid)
    assert world.bind(entry, b"password") is BindResult.OK
    assert world.bind(entry, b"Password") is BindResult.WRONG_PASSWORD
    assert world.bind(entry, b"password ") is BindResult.WRONG_PASSWORD
    assert world.bind(entry, b"password") is BindResult.OK


@pytest.mark.parametrize("password", [b"", b"\0", b"\0" * 16, b"password\0", b"pass\0word"])
def test_an_empty_password_or_one_with_a_nul_is_wrong(world: World, uid: str, password: bytes) -> None:
    world.add(uid, "password")
    assert world.bind(world.known(uid), password) is BindResult.WRONG_PASSWORD


@pytest.mark.parametrize(
    "password",
    ["Größe", "quote'\"\\back", "(*)&|", "x" * 100, "\u00a0non-breaking\u00ad", "ﬁ ligature", "日本語", " blanks "],
)
def test_a_password_is_its_octets(world: World, uid: str, password: str) -> None:
    world.add(uid, password)
    assert world.bind(world.known(uid), password.encode()) is BindResult.OK


def test_one_person_s_password_is_not_another_s(world: World, uid: str) -> None:
    world.add(uid, "first")
    world.add(f"{uid}x", "second")
    assert world.bind(world.known(uid), b"second") is BindResult.WRONG_PASSWORD
    assert world.bind(world.known(f"{uid}x"), b"second") is BindResult.OK


@pytest.mark.parametrize("name", ["Jürgen Ö", "o'brien", 'say "no"', "a,b=c+d", "back\\slash", "(in)", "a*b", "日本"])
def test_a_name_may_hold_anything(world: World, name: str) -> None:
    number = next(_numbers)
    world.add(f"{name}{number}", "password")
    entry = world.known(f"{name}{number}")
    assert entry.name == f"{name}{number}"
    assert world.bind(entry, b"password") is BindResult.OK


def test_a_renamed_person_keeps_the_subject(world: World, uid: str) -> None:
    world.add(uid, "password")
    subject = world.known(uid).subject
    world.rename(uid, f"{uid}new")
    assert world.known(f"{uid}new").subject == subject


def test_a_person_renamed_since_the_lookup_can_still_log_in(world: World, uid: str) -> None:
    world.add(uid, "password")
    world.rename(uid, f"{uid}new")
    entry = world.known(f"{uid}new")
    world.rename(f"{uid}new", f"{uid}newer")
    world.rename(f"{uid}newer", f"{uid}new")
    assert world.bind(entry, b"password") is BindResult.OK


def test_two_people_of_one_name_are_ambiguous(request: pytest.FixtureRequest, world: World, uid: str) -> None:
    world.add(uid, "password")
    if isinstance(world.directory, FakeDirectory):
        world.add(uid, "password")
    else:
        person = [("objectClass", "inetOrgPerson"), ("uid", uid), ("cn", uid), ("sn", uid)]
        request.getfixturevalue("slapd").change(ldif(f"cn={uid},{PEOPLE}", person), "-a")
    assert world.find(uid) is NotFound.AMBIGUOUS


def test_a_person_without_groups_and_attributes_has_none(world: World, uid: str) -> None:
    world.add(uid, "password")
    entry = world.known(uid)
    assert (entry.groups, entry.attributes) == (frozenset(), {})


def test_groups_are_those_that_the_person_belongs_to(world: World, uid: str) -> None:
    world.add(uid, "password")
    world.add(f"{uid}x", "password")
    for name, group in ((uid, "Staff"), (uid, "VPN"), (f"{uid}x", "Guests")):
        world.join(name, f"{uid}{group}")
    expected = {f"cn={uid}{group},ou=groups,dc=example,dc=org" for group in ("staff", "vpn")}
    assert world.known(uid).groups == expected
    assert world.known(f"{uid}x").groups == {f"cn={uid}guests,ou=groups,dc=example,dc=org"}


def test_attributes_have_names_in_lower_case_and_all_their_values(world: World, uid: str) -> None:
    world.add_with(uid, {"Mail": ("z@example.org", "a@example.org"), "TITLE": ("head",)})
    assert world.known(uid).attributes == {"mail": ("z@example.org", "a@example.org"), "title": ("head",)}


def test_everybody_is_listed_as_found_by_their_name(world: World, uid: str) -> None:
    world.add_with(uid, {"mail": ("a@example.org",)})
    world.add(f"{uid}x", "password")
    world.join(uid, f"{uid}group")
    listed = {entry.name: entry for entry in world.people()}
    assert [listed[name] for name in (uid, f"{uid}x")] == [world.known(uid), world.known(f"{uid}x")]


def test_sixteen_threads_do_not_mix_people_up(world: World, uid: str) -> None:
    names = [f"{uid}n{number}" for number in range(16)]
    for name in names:
        world.add(name, f"password of {name}")
    wrong: list[str] = []
    together = threading.Barrier(16)

    def log_in(name: str) -> None:
        together.wait(10)
        for _ in range(10):
            entry = world.known(name)
            verdicts = (world.bind(entry, f"password of {name}".encode()), world.bind(entry, b"another"))
            if entry.name != name or verdicts != (BindResult.OK, BindResult.WRONG_PASSWORD):
                wrong.append(name)
        done.append(name)

    done: list[str] = []
    threads = [threading.Thread(target=log_in, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert sorted(done) == sorted(names)
