"""What is read of an entry beyond its id and name."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.wanted import Wanted
from radius2fa.login.ports import Entry, Unavailable
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import FaultyLdap, entries
from tests.servers.slapd import Slapd, person_dn

ALICE = Entry("1b4e28ba-2fa1-11d2-883f-0016d3cca427", person_dn("alice"), "alice", "alice", directory="main")
OWN = {"entryUUID": [ALICE.subject.encode()], "uid": [b"alice"]}
Open = Callable[..., LdapDirectory]


@pytest.fixture
def opened(clock: Clock, tools: Tools) -> Iterator[Open]:
    """Opens directories that want these attributes."""
    made: list[LdapDirectory] = []

    def open_with(server: Slapd | FaultyLdap, *attributes: str, **settings: object) -> LdapDirectory:
        ca_file = server.ca_file if isinstance(server, Slapd) else None
        wanted = Wanted(attributes=frozenset(attributes))
        made.append(LdapDirectory(tools.settings(server.uri, ca_file=ca_file, **settings), clock, wanted))
        return made[-1]

    yield open_with
    for directory in made:
        directory.close()


@pytest.mark.parametrize(
    ("uids", "names"),
    [([b"alice"], {"alice"}), ([b"Alice  B", b"al"], {"alice b", "al"}), ([b"M\xc3\xbcller"], {"m\u00fcller"})],
)
def test_all_names_are_the_directorys_whatever_was_typed(
    faulty: FaultyLdap, tools: Tools, clock: Clock, uids: list[bytes], names: set[str]
) -> None:
    faulty.on_search = entries((ALICE.dn, {**OWN, "uid": uids}))
    with closing(LdapDirectory(tools.settings(faulty.uri), clock, Wanted(names=True))) as directory:
        entry = directory.find("alice@example.org", clock.soon())
    assert isinstance(entry, Entry)
    assert entry.names == names


def test_somebody_without_a_name_is_a_breakdown_where_rules_speak_of_users(
    faulty: FaultyLdap, tools: Tools, clock: Clock
) -> None:
    """A rule against them would not hold for what they typed in its place."""
    faulty.on_search = entries((ALICE.dn, {"entryUUID": OWN["entryUUID"]}))
    with (
        closing(LdapDirectory(tools.settings(faulty.uri), clock, Wanted(names=True))) as directory,
        pytest.raises(Unavailable, match="has no readable uid: see name_attribute"),
    ):
        directory.find("alice@example.org", clock.soon())


def attributes_of(directory: LdapDirectory, name: str, clock: Clock) -> dict[str, tuple[str, ...]]:
    entry = directory.find(name, clock.soon())
    assert isinstance(entry, Entry)
    return dict(entry.attributes)


def test_attributes_come_with_the_person_s_own_search(slapd: Slapd, opened: Open, clock: Clock) -> None:
    slapd.add_person("attributed", "password", mail="a@example.org", title="Größe")
    directory = opened(slapd, "mail", "Title", "employeeNumber")
    before = slapd.searches()
    expected = {"mail": ("a@example.org",), "title": ("Größe",)}
    assert attributes_of(directory, "attributed", clock) == expected
    assert attributes_of(directory, "attributed", clock) == expected
    assert slapd.searches() == before + 1


def test_all_values_come_in_the_server_s_order(faulty: FaultyLdap, opened: Open, clock: Clock) -> None:
    faulty.on_search = entries((ALICE.dn, {**OWN, "mail": [b"z@x", b"a@x", b"", b"m@x"]}))
    assert attributes_of(opened(faulty, "mail"), "alice", clock) == {"mail": ("z@x", "a@x", "", "m@x")}


def test_names_are_compared_without_case_and_those_of_the_answer_are_in_lower_case(
    faulty: FaultyLdap, opened: Open, clock: Clock
) -> None:
    faulty.on_search = entries((ALICE.dn, {**OWN, "MAIL": [b"a@x"], "memberOf": [b"cn=a"]}))
    assert attributes_of(opened(faulty, "Mail", "memberof"), "alice", clock) == {
        "mail": ("a@x",),
        "memberof": ("cn=a",),
    }


def test_each_attribute_is_asked_for_once_and_none_but_the_wanted_ones(
    faulty: FaultyLdap, opened: Open, clock: Clock
) -> None:
    faulty.on_search = entries((ALICE.dn, {**OWN, "uid": [b"alice", b"second"], "sn": [b"unwanted"]}))
    directory = opened(faulty, "UID", "mail", "MAIL", "entryuuid")
    expected = {"uid": ("alice", "second"), "entryuuid": (ALICE.subject,)}
    assert attributes_of(directory, "alice", clock) == expected
    assert faulty.searches[0].attributes == ("entryUUID", "uid", "mail")


def test_an_attribute_in_another_language_is_another_attribute(slapd: Slapd, opened: Open, clock: Clock) -> None:
    """RFC 4512 section 2.5.2: slapd sends the one in German along, and it must not be mixed up with its parent."""
    slapd.add_person("german", "password", **{"title;lang-de": "Leiterin"})
    slapd.add_person("both", "password", **{"title;lang-de": "Leiterin", "title": "head"})
    directory = opened(slapd, "title")
    assert attributes_of(directory, "german", clock) == {}
    assert attributes_of(directory, "both", clock) == {"title": ("head",)}
    named = opened(slapd, "title;lang-DE")
    assert attributes_of(named, "both", clock) == {"title;lang-de": ("Leiterin",)}


def test_a_value_that_is_no_text_is_unavailable_and_never_left_out(
    faulty: FaultyLdap, opened: Open, clock: Clock
) -> None:
    """It could be the one for which a rule refuses."""
    faulty.on_search = entries((ALICE.dn, {**OWN, "mail": [b"a@x", b"\xff\xfe"]}))
    with pytest.raises(Unavailable, match=r"uid=alice.* has a value of mail that is no UTF-8 text"):
        opened(faulty, "mail").find("alice", clock.soon())
    entry = opened(faulty).find("alice", clock.soon())
    assert entry == ALICE


def test_a_part_of_very_many_values_is_unavailable(faulty: FaultyLdap, opened: Open, clock: Clock) -> None:
    """[MS-ADTS] 3.1.1.3.1.3.3: of 3000 values, Active Directory sends 1500, and under another name."""
    faulty.on_search = entries((ALICE.dn, {**OWN, "memberOf": [], "memberOf;range=0-1499": [b"cn=a"]}))
    with pytest.raises(Unavailable, match="has more values of memberof than the server sends at once"):
        opened(faulty, "memberOf").find("alice", clock.soon())


def test_nothing_is_read_that_nobody_wants(faulty: FaultyLdap, opened: Open, clock: Clock) -> None:
    faulty.on_search = entries((ALICE.dn, {**OWN, "mail": [b"a@x"]}))
    assert attributes_of(opened(faulty), "alice", clock) == {}
    assert faulty.searches[0].attributes == ("entryUUID", "uid")
