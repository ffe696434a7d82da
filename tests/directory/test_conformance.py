"""What every directory promises: held against a real slapd, a real Active Directory, and the fake of other tests."""

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
from tests.servers import samba as active_directory
from tests.servers.samba import Samba
from tests.servers.slapd import PEOPLE, Slapd, group_dn, ldif, person_dn, person_ldif

WANTED = Wanted(groups=True, attributes=frozenset({"CarLicense", "title"}))

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class World:
    """A directory, and how to change what is in it.

    `add_with` adds a person with attributes, `join` makes one the only member of a new group, `double` gives a second
    person the name of the first. Wanted are groups, `carLicense` and `title`.
    """

    directory: Directory
    add: Callable[[str, str | bytes], object]
    add_with: Callable[[str, Mapping[str, tuple[str, ...]]], object]
    join: Callable[[str, str], object]
    people: Callable[[], Iterator[Entry]]
    rename: Callable[[str, str], None]
    double: Callable[[str], object]
    dn: Callable[[str], str]
    clock: Clock

    def find(self, name: str) -> Entry | NotFound:
        return self.directory.find(name, self.clock.soon())

    def known(self, name: str) -> Entry:
        entry = self.find(name)
        assert isinstance(entry, Entry)
        return entry

    def bind(self, entry: Entry, password: bytes) -> BindResult:
        return self.directory.bind(entry, password, self.clock.soon())


@pytest.fixture(params=["fake", "slapd-ldap3", "slapd-libldap", "samba-ldap3", "samba-libldap"])
def world(request: pytest.FixtureRequest, clock: Clock) -> Iterator[World]:
    """Every server, over every driver."""
    if request.param == "fake":
        yield _over_the_fake(clock)
        return
    name, driver = request.param.split("-")
    server: Slapd | Samba = request.getfixturevalue(name)
    tools = Tools(driver)
    if isinstance(server, Samba):
        directory = LdapDirectory(tools.settings_of(server), clock, WANTED)
        yield _over_samba(server, directory, clock)
    else:
        directory = LdapDirectory(tools.settings(server.uri, ca_file=server.ca_file), clock, WANTED)
        yield _over_slapd(server, directory, clock)
    directory.close()


def _over_the_fake(clock: Clock) -> World:
    fake = FakeDirectory()
    return World(
        directory=fake,
        add=fake.add,
        add_with=lambda name, attributes: fake.add(name, "password", attributes=attributes),
        join=lambda name, group: fake.join(name, group_dn(group)),
        people=fake.people,
        rename=fake.rename,
        double=lambda name: fake.add(name, "password"),
        dn=person_dn,
        clock=clock,
    )


def _over_slapd(slapd: Slapd, directory: LdapDirectory, clock: Clock) -> World:
    def double(name: str) -> None:
        person = [("objectClass", "inetOrgPerson"), ("uid", name), ("cn", name), ("sn", name)]
        slapd.change(ldif(f"cn={name},{PEOPLE}", person), "-a")

    return World(
        directory=directory,
        add=slapd.add_person,
        add_with=lambda name, attributes: slapd.change(_with_attributes(name, attributes), "-a"),
        join=lambda name, group: slapd.add_group(group, person_dn(name)),
        people=directory.people,
        rename=slapd.rename,
        double=double,
        dn=person_dn,
        clock=clock,
    )


def _over_samba(samba: Samba, directory: LdapDirectory, clock: Clock) -> World:
    return World(
        directory=directory,
        add=samba.add_person,
        add_with=lambda name, attributes: samba.add_person(name, "password", **attributes),
        join=lambda name, group: samba.add_group(group, active_directory.person_dn(name)),
        people=directory.people,
        rename=samba.rename,
        double=lambda name: samba.add_person(f"{name}double", "password", mail=name),
        dn=active_directory.person_dn,
        clock=clock,
    )


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
    assert entry.dn == world.dn(uid)
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


@pytest.mark.parametrize("world", ["fake", "slapd-ldap3", "slapd-libldap"], indirect=True)
@pytest.mark.parametrize("name", ['say "no"', "a,b=c+d", "back\\slash", "a*b"])
def test_a_name_may_hold_what_active_directory_forbids(world: World, name: str) -> None:
    _a_person_can_have_a_name(world, name)


@pytest.mark.parametrize("name", ["Jürgen Ö", "o'brien", "(in)", "日本"])
def test_a_name_may_hold_anything(world: World, name: str) -> None:
    _a_person_can_have_a_name(world, name)


def _a_person_can_have_a_name(world: World, name: str) -> None:
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


def test_two_people_of_one_name_are_ambiguous(world: World, uid: str) -> None:
    world.add(uid, "password")
    world.double(uid)
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
    world.add_with(uid, {"CarLicense": ("z", "a"), "TITLE": ("head",)})
    assert world.known(uid).attributes == {"carlicense": ("z", "a"), "title": ("head",)}


def test_everybody_is_listed_as_found_by_their_name(world: World, uid: str) -> None:
    world.add_with(uid, {"carLicense": ("a",)})
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
