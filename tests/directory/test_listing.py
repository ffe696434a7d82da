"""Everybody, page by page."""

import re
from collections.abc import Callable, Iterator

import pytest
from ldap3.protocol.controls import build_control
from ldap3.protocol.rfc2696 import paged_search_control
from ldap3.protocol.rfc4511 import LDAPMessage
from ldap3.utils.asn1 import encode
from pydantic import SecretBytes

from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.link import LONGEST_ANSWER
from radius2fa.directory.listing import LONGEST_PAGE, PATIENCE
from radius2fa.directory.wanted import Wanted
from radius2fa.login.ports import Entry, Unavailable
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import Answer, FaultyLdap, entries, hang_up, in_turn, result
from tests.servers.slapd import GROUPS, PEOPLE, Slapd, free_port, group_dn, group_ldif, ldif, person_dn, person_ldif

COUNT = 1200
READER = f"cn=reader,{PEOPLE}"
LIMITED = f"""\
limits dn.exact="{READER}" size.soft=500 size.hard=500 size.prtotal=unlimited
limits anonymous size.soft=500 size.hard=500 size.prtotal=700
"""
GROUP_BASE = {"group_base": GROUPS}


def seed() -> str:
    """People of whom each third is in a group, which is in another."""
    reader = [("objectClass", "person"), ("cn", "reader"), ("sn", "reader"), ("userPassword", "secret")]
    people = "".join(person_ldif(f"p{number}", "x", mail=f"p{number}@example.org") for number in range(COUNT))
    thirds = group_ldif("thirds", *(person_dn(f"p{number}") for number in range(0, COUNT, 3)))
    return ldif(READER, reader) + people + thirds + group_ldif("over", group_dn("thirds"))


@pytest.fixture(scope="module")
def crowd() -> Iterator[Slapd]:
    """A server that answers with 500 entries to one search; nobody but its administrator is excepted."""
    with Slapd(seed=seed(), limits=LIMITED) as server:
        yield server


@pytest.fixture
def tools(driver: str) -> Tools:
    """Settings over each driver."""
    return Tools(driver)


@pytest.fixture
def opened(clock: Clock, tools: Tools) -> Iterator[Callable[..., LdapDirectory]]:
    made: list[LdapDirectory] = []

    def open_with(*urls: str, wanted: Wanted = Wanted(), **settings: object) -> LdapDirectory:  # noqa: B008 - frozen
        made.append(LdapDirectory(tools.settings(*urls, **settings), clock, wanted))
        return made[-1]

    yield open_with
    for directory in made:
        directory.close()


Open = Callable[..., LdapDirectory]


def as_reader() -> dict[str, object]:
    return {"bind_dn": READER, "bind_password": SecretBytes(b"secret")}


def test_1200_people_are_listed_from_a_server_that_sends_500_at_once(crowd: Slapd, opened: Open) -> None:
    before = crowd.searches()
    people = list(opened(crowd.uri, **as_reader()).people())
    assert sorted(entry.name for entry in people) == sorted(f"p{number}" for number in range(COUNT))
    assert len({entry.subject for entry in people}) == COUNT
    assert {entry.dn for entry in people} == {person_dn(f"p{number}") for number in range(COUNT)}
    assert {entry.typed == entry.name for entry in people} == {True}
    assert crowd.searches() == before + 3
    assert crowd.filters()[-1] == "(&(objectClass=person)(uid=*))"


def test_a_listed_person_is_the_one_who_is_found_with_groups_and_attributes(
    crowd: Slapd, opened: Open, clock: Clock
) -> None:
    wanted = Wanted(groups=True, attributes=frozenset({"mail"}))
    directory = opened(crowd.uri, wanted=wanted, **as_reader(), **GROUP_BASE, user_filter="(&(mail=*)(uid={user}))")
    listed = {entry.name: entry for entry in directory.people()}
    assert len(listed) == COUNT
    assert listed["p3"].groups == {"cn=thirds,ou=groups,dc=example,dc=org", "cn=over,ou=groups,dc=example,dc=org"}
    assert listed["p4"].groups == frozenset()
    assert listed["p4"].attributes == {"mail": ("p4@example.org",)}
    assert [directory.find(name, clock.soon()) for name in ("p3", "p4")] == [listed["p3"], listed["p4"]]


def test_a_server_that_lists_no_more_than_a_part_is_unavailable(crowd: Slapd, opened: Open) -> None:
    """Anonymous: slapd ends the second page in the middle, and says so."""
    cause = r"failed: sizeLimitExceeded \(4\) \(does the server limit how many it lists\?"
    assert len(set(names_until_unavailable(opened(crowd.uri, bind_dn="").people(), cause))) == 500


def test_a_page_is_asked_for_when_it_is_needed_and_a_list_that_is_left_is_closed(crowd: Slapd, opened: Open) -> None:
    before = crowd.searches()
    people = opened(crowd.uri, **as_reader()).people()
    assert crowd.searches() == before
    for _ in range(500):
        next(people)
    assert crowd.searches() == before + 1
    next(people)
    assert crowd.searches() == before + 2
    people.close()  # type: ignore[attr-defined] # a generator
    assert list(people) == []
    assert crowd.searches() == before + 2


def test_a_list_that_is_left_closes_its_connection(faulty: FaultyLdap, opened: Open) -> None:
    faulty.on_search = paged(b"next", "alice", "bob")
    people = opened(faulty.uri).people()
    next(people)
    people.close()  # type: ignore[attr-defined] # a generator
    serving = faulty._threads[-1]
    serving.join(5)
    assert serving.is_alive() is False


# Faulty answers


def person(name: str) -> tuple[str, dict[str, list[bytes]]]:
    return (person_dn(name), {"entryUUID": [name.encode()], "uid": [name.encode()]})


PAGED_RESULTS = "1.2.840.113556.1.4.319"


def paged(cookie: bytes, *names: str, control: object = None) -> Answer:
    """A page of people, and the cookie for the next one, or another control in its place."""

    def answer(message_id: int) -> bytes:
        message = LDAPMessage()
        message["messageID"] = message_id
        body = message["protocolOp"]["searchResDone"]
        body["resultCode"], body["matchedDN"], body["diagnosticMessage"] = 0, "", ""
        message["controls"][0] = control or paged_search_control(size=0, cookie=cookie)
        found = entries(*map(person, names))(message_id)
        return found.removesuffix(result("searchResDone", 0)(message_id)) + bytes(encode(message))

    return answer


def names_until_unavailable(people: Iterator[Entry], cause: str) -> list[str]:
    names: list[str] = []
    with pytest.raises(Unavailable, match=cause):
        names.extend(entry.name for entry in people)
    return names


def test_an_answer_without_a_cookie_is_the_last_page(faulty: FaultyLdap, opened: Open) -> None:
    """So is that of a server that knows no pages, and answers with all there is."""
    faulty.on_search = in_turn(paged(b"more", "a", "b"), paged(b"", "c"))
    assert [entry.name for entry in opened(faulty.uri).people()] == ["a", "b", "c"]
    faulty.on_search = entries(person("a"), person("b"))
    assert [entry.name for entry in opened(faulty.uri).people()] == ["a", "b"]
    assert [request.size_limit for request in faulty.searches] == [0, 0, 0]


def test_an_empty_page_is_not_the_end_but_a_circle_is(faulty: FaultyLdap, opened: Open) -> None:
    faulty.on_search = in_turn(paged(b"1", "a"), paged(b"2"), paged(b"", "b"))
    assert [entry.name for entry in opened(faulty.uri).people()] == ["a", "b"]
    faulty.on_search = in_turn(paged(b"1", "a"), *[paged(b"2")] * 9)
    assert names_until_unavailable(opened(faulty.uri).people(), "goes round in circles") == ["a"]
    assert len(faulty.searches) == 6


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (hang_up, "the list broke off: the server closed the connection"),
        (result("searchResDone", 53, "cookie is invalid"), "unwillingToPerform .*: cookie is invalid"),
        (entries(person("c"), code=4), "sizeLimitExceeded"),
        (entries(person("c"), code=3), "timeLimitExceeded"),
        (result("searchResDone", 10, referral="ldap://127.0.0.1:9/"), "referral"),
        (paged(b"more", "c", control=build_control(PAGED_RESULTS, False, b"", False)), "cannot be read"),  # noqa: FBT003 - ldap3's
    ],
)
def test_a_list_that_breaks_off_is_unavailable_and_goes_on_nowhere_else(
    faulty: FaultyLdap, opened: Open, answer: Answer, cause: str
) -> None:
    faulty.on_search = in_turn(paged(b"more", "a", "b"), answer, entries(person("z")))
    assert names_until_unavailable(opened(faulty.uri, f"{faulty.uri}/").people(), cause) == ["a", "b"]
    assert faulty.connections == 1


def test_an_entry_without_an_id_is_unavailable(faulty: FaultyLdap, opened: Open) -> None:
    faulty.on_search = entries(person("a"), (person_dn("b"), {"uid": [b"b"]}))
    assert names_until_unavailable(opened(faulty.uri).people(), "uid=b.* has not one readable entryUUID") == ["a"]


def test_somebody_without_a_name_is_listed_by_the_dn(faulty: FaultyLdap, opened: Open) -> None:
    faulty.on_search = entries((person_dn("a"), {"entryUUID": [b"one"]}))
    (entry,) = opened(faulty.uri).people()
    assert entry == Entry("one", person_dn("a"), person_dn("a"), person_dn("a"), directory="main")


def test_a_page_may_be_longer_than_the_answer_to_a_login(faulty: FaultyLdap, opened: Open) -> None:
    name = "x" * 5000
    faulty.on_search = entries(*[person(f"{number}{name}") for number in range(100)])
    assert len(faulty.on_search(1) or b"") > LONGEST_ANSWER
    assert len(list(opened(faulty.uri).people())) == 100
    assert LONGEST_PAGE == 32 * LONGEST_ANSWER


def test_the_first_server_that_answers_is_asked_and_logins_pass_the_others_over(
    faulty: FaultyLdap, opened: Open, clock: Clock
) -> None:
    faulty.on_search = entries(person("a"))
    with FaultyLdap() as broken:
        broken.on_service_bind = hang_up
        directory = opened(broken.uri, faulty.uri)
        assert [entry.name for entry in directory.people()] == ["a"]
        assert isinstance(directory.find("a", clock.soon()), Entry)
        assert faulty.connections == 2
        assert [state.well for state in directory.figures().servers] == [False, True]


def test_without_a_server_that_answers_it_is_unavailable(opened: Open) -> None:
    directory = opened(f"ldap://127.0.0.1:{free_port()}", f"ldap://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match=r"Connection refused; ldap://.*Connection refused"):
        list(directory.people())


def test_a_page_has_its_own_time_and_no_more(faulty: FaultyLdap, opened: Open, clock: Clock) -> None:
    """A page takes longer than an answer to a login may; one that never comes ends the list."""

    def after(seconds: float, answer: Answer) -> Answer:
        def answered(message_id: int) -> bytes | None:
            clock.advance(seconds)
            return answer(message_id)

        return answered

    many = [f"p{number}" for number in range(400)]  # more than one read from the socket
    faulty.on_search = in_turn(after(PATIENCE - 1, paged(b"more", *many)), after(PATIENCE, paged(b"", *many)))
    assert names_until_unavailable(opened(faulty.uri).people(), "the list broke off: no answer in time") == many


def test_a_filter_by_which_nobody_can_be_listed_is_unavailable(faulty: FaultyLdap, opened: Open) -> None:
    directory = opened(faulty.uri, user_filter="(!(uid={user}))")
    with pytest.raises(Unavailable, match=re.escape("people can be listed by (attribute={user}) only")):
        next(directory.people())
    assert faulty.connections == 0
