"""Groups over a real slapd, and over a server that does what none should."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from radius2fa.directory.groups import MOST_GROUPS
from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.terms import Found, Result, Search
from radius2fa.directory.wanted import Wanted
from radius2fa.login.dn import normal_dn
from radius2fa.login.ports import Entry, Unavailable
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import Answer, FaultyLdap, entries, hang_up, in_turn, octets, result, silence
from tests.servers.slapd import GROUPS, PEOPLE, SUFFIX, Slapd, group_dn, group_ldif, ldif, person_dn, person_ldif

ALICE = Entry("1b4e28ba-2fa1-11d2-883f-0016d3cca427", person_dn("alice"), "alice", "alice", directory="main")
FOUND = (ALICE.dn, {"entryUUID": [ALICE.subject.encode()], "uid": [b"alice"]})
Open = Callable[..., LdapDirectory]

_numbers = itertools.count()


@pytest.fixture
def tools(driver: str) -> Tools:
    """Settings over each driver."""
    return Tools(driver)


@pytest.fixture
def uid() -> str:
    """A name that nobody has yet: the server is shared."""
    return f"member{next(_numbers)}"


@pytest.fixture
def opened(slapd: Slapd, clock: Clock, tools: Tools) -> Iterator[Open]:
    """Opens directories over slapd that want groups."""
    made: list[LdapDirectory] = []

    def open_with(**settings: object) -> LdapDirectory:
        values = {"ca_file": slapd.ca_file, "group_base": GROUPS, **settings}
        made.append(LdapDirectory(tools.settings(slapd.uri, **values), clock, Wanted(groups=True)))  # type: ignore[arg-type]
        return made[-1]

    yield open_with
    for directory in made:
        directory.close()


@pytest.fixture
def faulted(faulty: FaultyLdap, clock: Clock, tools: Tools) -> Iterator[LdapDirectory]:
    """Over the faulty server, in the clear; groups are wanted."""
    made = LdapDirectory(tools.settings(faulty.uri, timeout=1.0), clock, Wanted(groups=True))
    yield made
    made.close()


def groups_of(directory: LdapDirectory, name: str, clock: Clock) -> set[str]:
    entry = directory.find(name, clock.soon())
    assert isinstance(entry, Entry)
    return set(entry.groups)


def normal(*names: str) -> set[str]:
    """The DNs of groups with plain names."""
    return {f"cn={name.lower()},ou=groups,dc=example,dc=org" for name in names}


# Kinds of groups


def test_a_group_of_names_and_one_of_unique_names_have_members(
    slapd: Slapd, opened: Open, clock: Clock, uid: str
) -> None:
    slapd.add_person(uid, "password")
    slapd.add_group(f"{uid}Names", person_dn(uid))
    unique = [("objectClass", "groupOfUniqueNames"), ("cn", f"{uid}Unique"), ("uniqueMember", person_dn(uid))]
    slapd.change(ldif(group_dn(f"{uid}Unique"), unique), "-a")
    slapd.add_group(f"{uid}Others", person_dn("somebodyelse"))
    assert groups_of(opened(), uid, clock) == normal(f"{uid}names", f"{uid}unique")


def posix_group(cn: str, *members: str) -> str:
    attributes = [("objectClass", "posixGroup"), ("cn", cn), ("gidNumber", "100")]
    return ldif(group_dn(cn), [*attributes, *(("memberUid", uid) for uid in members)])


def test_a_posix_group_has_the_names_of_its_members(slapd: Slapd, opened: Open, clock: Clock, uid: str) -> None:
    slapd.add_person(uid, "password")
    slapd.change(posix_group(f"{uid}posix", "other", uid) + posix_group(f"{uid}none", "other"), "-a")
    before = slapd.searches()
    assert groups_of(opened(group_filter="(memberUid={user})"), uid, clock) == normal(f"{uid}posix")
    assert slapd.searches() == before + 2  # nothing can be in a posixGroup but people: there is no level above


def test_posix_groups_and_nested_ones_go_together(slapd: Slapd, opened: Open, clock: Clock, uid: str) -> None:
    slapd.add_person(uid, "password")
    slapd.change(posix_group(f"{uid}posix", uid), "-a")
    slapd.add_group(f"{uid}over", group_dn(f"{uid}posix"))
    both = opened(group_filter="(|(member={dn})(&(objectClass=posixGroup)(memberUid={user})))")
    assert groups_of(both, uid, clock) == normal(f"{uid}posix", f"{uid}over")


def test_the_name_of_a_posix_group_s_member_is_the_directory_s_and_never_the_typed_one(
    slapd: Slapd, opened: Open, clock: Clock, uid: str
) -> None:
    """Whoever may write their own mail address must not get the groups of its namesake."""
    entry = [("objectClass", "inetOrgPerson"), ("cn", uid), ("sn", uid), ("mail", f"root{uid}")]
    slapd.change(ldif(f"cn={uid},{PEOPLE}", entry), "-a")
    slapd.change(posix_group(f"{uid}root", f"root{uid}"), "-a")
    by_mail = opened(group_filter="(memberUid={user})", user_filter="(mail={name})")
    with pytest.raises(Unavailable, match="has no readable uid: see name_attribute"):
        by_mail.find(f"root{uid}", clock.soon())


def test_groups_are_looked_for_below_the_base_where_there_is_no_other(
    slapd: Slapd, opened: Open, clock: Clock, uid: str
) -> None:
    slapd.add_person(uid, "password")
    slapd.add_group(uid, person_dn(uid))
    assert groups_of(opened(group_base=None), uid, clock) == normal(uid)
    assert groups_of(opened(group_base=PEOPLE), uid, clock) == set()


# Groups in groups


def test_groups_are_nested_three_deep(slapd: Slapd, opened: Open, clock: Clock, uid: str) -> None:
    slapd.add_person(uid, "password")
    slapd.add_group(f"{uid}a", person_dn(uid))
    slapd.add_group(f"{uid}b", group_dn(f"{uid}a"))
    slapd.add_group(f"{uid}c", group_dn(f"{uid}b"))
    slapd.add_group(f"{uid}beside", group_dn(f"{uid}other"))
    assert groups_of(opened(), uid, clock) == normal(f"{uid}a", f"{uid}b", f"{uid}c")
    assert groups_of(opened(nested_groups=False), uid, clock) == normal(f"{uid}a")


def test_a_cycle_of_groups_ends_and_each_is_asked_about_once(
    slapd: Slapd, opened: Open, clock: Clock, uid: str
) -> None:
    slapd.add_person(uid, "password")
    slapd.add_group(f"{uid}a", person_dn(uid), group_dn(f"{uid}b"))
    slapd.add_group(f"{uid}b", group_dn(f"{uid}a"), group_dn(f"{uid}b"))
    directory = opened()
    before = len(slapd.filters())
    assert groups_of(directory, uid, clock) == normal(f"{uid}a", f"{uid}b")
    asked = [text.replace("uniqueMember", "member") for text in slapd.filters()[before + 1 :]]
    assert asked == [
        f"(|(member={dn})(member={dn}))" for dn in (person_dn(uid), group_dn(f"{uid}a"), group_dn(f"{uid}b"))
    ]


def test_one_level_is_one_search_however_many_groups_it_has(slapd: Slapd, opened: Open, clock: Clock, uid: str) -> None:
    slapd.add_person(uid, "password")
    slapd.change("".join(group_ldif(f"{uid}n{number}", person_dn(uid)) for number in range(60)), "-a")
    slapd.add_group(f"{uid}top", *(group_dn(f"{uid}n{number}") for number in range(0, 60, 7)))
    directory = opened()
    before = slapd.searches()
    assert groups_of(directory, uid, clock) == normal(f"{uid}top", *(f"{uid}n{number}" for number in range(60)))
    assert slapd.searches() == before + 4  # the person, their groups, those above, and none above them


def chain(levels: int) -> list[Callable[[int], bytes]]:
    """The answers to a login of somebody whose groups are nested so deep."""
    above = [entries((group_dn(f"g{level}"), {})) for level in range(levels)]
    return [entries(FOUND), *above, entries()]


def test_ten_levels_are_climbed_and_no_more(faulty: FaultyLdap, faulted: LdapDirectory, clock: Clock) -> None:
    faulty.on_search = in_turn(*chain(11))
    with pytest.raises(Unavailable, match="are nested more than 10 levels deep"):
        faulted.find("alice", clock.soon())
    assert len(faulty.searches) == 12
    faulty.on_search = in_turn(*chain(10))
    assert len(groups_of(faulted, "alice", clock)) == 10


def many(count: int, name: str = "g") -> Callable[[int], bytes]:
    return entries(*((group_dn(f"{name}{number}"), {}) for number in range(count)))


def test_a_thousand_groups_are_taken_and_no_more(faulty: FaultyLdap, faulted: LdapDirectory, clock: Clock) -> None:
    above = [entries() for _ in range(10)]
    faulty.on_search = in_turn(entries(FOUND), many(MOST_GROUPS), *above)
    assert len(groups_of(faulted, "alice", clock)) == 1000
    assert faulty.searches[1].size_limit == 1000
    clock.advance(61)
    faulty.on_search = in_turn(entries(FOUND), many(MOST_GROUPS + 1))
    with pytest.raises(Unavailable, match="is in more than 1000 groups"):
        faulted.find("alice", clock.soon())
    faulty.on_search = in_turn(entries(FOUND), many(600), many(401, "h"), *above)
    with pytest.raises(Unavailable, match="is in more than 1000 groups"):
        faulted.find("alice", clock.soon())


# Names that need escapes

ODD = [
    ("Smith, John", r"cn=Smith\2C John"),
    ('say "no"', r"cn=say \22no\22"),
    ("(in) or *out*", "cn=(in) or *out*"),
    ("back\\slash", r"cn=back\5Cslash"),
    ("Jürgen Ö", "cn=Jürgen Ö"),
    ("a+b=c;<d>", r"cn=a\2Bb\3Dc\3B\3Cd\3E"),
    ("#1", r"cn=\231"),
    ("日本", "cn=日本"),
    ("\\2a)(member=*", r"cn=\5C2a)(member\3D*"),
]


@pytest.mark.parametrize(("name", "rdn"), ODD)
def test_a_person_and_groups_of_any_name_belong_together(
    slapd: Slapd, opened: Open, clock: Clock, name: str, rdn: str
) -> None:
    """What a DN is made of means nothing in a filter (RFC 4515), neither the person's nor the group's."""
    uid = f"odd{next(_numbers)}"
    person = person_ldif(f"{name} {uid}", "password")
    slapd.change(person, "-a")
    directory = opened()
    entry = directory.find(f"{name} {uid}", clock.soon())
    assert isinstance(entry, Entry)
    slapd.change(group_ldif(f"{name} {uid}", entry.dn), "-a")
    slapd.change(group_ldif(f"{name} {uid} over", group_dn(f"{name} {uid}")), "-a")
    clock.advance(61)
    expected = {normal_dn(f"{rdn} {uid}{over},{GROUPS}") for over in ("", " over")}
    assert groups_of(directory, f"{name} {uid}", clock) == expected
    posix = opened(group_filter="(&(cn={user})(member={dn}))", nested_groups=False)
    assert groups_of(posix, f"{name} {uid}", clock) == {normal_dn(f"{rdn} {uid},{GROUPS}")}


@pytest.mark.parametrize(
    "spelling",
    [
        "cn=VPN Users {uid},ou=groups,dc=example,dc=org",
        "CN=vpn users {uid},OU=Groups,DC=EXAMPLE,DC=org",
        "cn = vpn  users {uid} , ou = groups , dc = example , dc = org",
    ],
)
def test_a_group_in_the_policy_s_spelling_is_the_server_s(
    slapd: Slapd, opened: Open, clock: Clock, spelling: str, uid: str
) -> None:
    slapd.add_person(uid, "password")
    slapd.change(group_ldif(f"VPN Users {uid}", person_dn(uid)), "-a")
    written = spelling.format(uid=uid)
    assert groups_of(opened(), uid, clock) == {normal_dn(written)}
    assert groups_of(opened(group_base=written), uid, clock) == {normal_dn(written)}  # slapd takes it for the same


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("Smith, John", [r"Smith\, John", r"Smith\2C John", r"smith\2c\20john"]),
        ('say "no"', [r"say \"no\"", r"say \22no\22"]),
        ("back\\slash", [r"back\\slash", r"back\5cslash"]),
        ("Jürgen Ö", ["JÜRGEN ö", r"J\C3\BCrgen \c3\96"]),
        ("a+b=c;<d>", [r"a\+b=c\;\<d\>", r"a\2Bb\3Dc\3B\3Cd\3E"]),
        ("#1", [r"\#1", r"\231"]),
        (" a blank ", [r"\ a blank\ ", r"\20a blank\20", "a  blank"]),
    ],
)
def test_every_spelling_of_a_dn_that_slapd_takes_for_the_group_is_the_group(
    slapd: Slapd, opened: Open, clock: Clock, name: str, spellings: list[str]
) -> None:
    number = next(_numbers)
    slapd.add_person(f"spelled{number}", "password")
    unit = f"ou=spelled{number},{GROUPS}"
    group = [("objectClass", "groupOfNames"), ("cn", name), ("member", person_dn(f"spelled{number}"))]
    slapd.change(ldif(unit, [("objectClass", "organizationalUnit"), ("ou", f"spelled{number}")]), "-a")
    slapd.change(ldif(group_dn(name).replace(GROUPS, unit), group), "-a")
    for spelling in spellings:
        written = f"CN = {spelling}, {unit}"
        assert groups_of(opened(group_base=written), f"spelled{number}", clock) == {normal_dn(written)}


# Active Directory's primary group, which has no member (tests/directory/test_active_directory.py has a real one)


DOMAIN = bytes.fromhex("010500000000000515000000 01000000 02000000 03000000 51040000".replace(" ", ""))
IN_CHAIN = "(member:1.2.840.113556.1.4.1941:={dn})"


def with_primary(sid: bytes, group: bytes) -> Callable[[int], bytes]:
    return entries((FOUND[0], {**FOUND[1], "objectSid": [sid], "primaryGroupID": [group]}))


@pytest.mark.parametrize(
    ("sid", "group"),
    [
        (b"", b"513"),
        (b"\x01", b"513"),
        (DOMAIN[:7], b"513"),
        (DOMAIN[:-1], b"513"),
        (DOMAIN + b"\0", b"513"),
        (b"\x02" + DOMAIN[1:], b"513"),
        (b"\x01\x00" + DOMAIN[2:8], b"513"),
        (b"S-1-5-21-1-2-3-1105", b"513"),
        (DOMAIN, b""),
        (DOMAIN, b"-1"),
        (DOMAIN, b"513)"),
        (DOMAIN, b"\xff"),
        (DOMAIN, "\u0665".encode()),
        (DOMAIN, b"5" * 5000),
    ],
)
def test_a_primary_group_that_cannot_be_read_is_unavailable(
    faulty: FaultyLdap, faulted: LdapDirectory, clock: Clock, sid: bytes, group: bytes
) -> None:
    faulty.on_search = in_turn(with_primary(sid, group))
    with pytest.raises(Unavailable, match="has an objectSid or a primaryGroupID that cannot be read"):
        faulted.find("alice", clock.soon())


def asked_for(directory: LdapDirectory, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The filters of the searches for somebody's groups: this server keeps none of them."""
    filters: list[str] = []
    search = directory._search

    def kept(wanted: Search, deadline: float) -> tuple[list[Found], Result]:
        filters.append(wanted.filter)
        return search(wanted, deadline)

    monkeypatch.setattr(directory, "_search", kept)
    directory.find("alice", clock.soon())
    return filters[1:]


def escaped_octets(value: str) -> str:
    """As RFC 4515 section 3 allows it for every octet."""
    return "".join(chr(octet) if chr(octet).isalnum() else f"\\{octet:02x}" for octet in value.encode())


def test_the_primary_group_is_asked_for_by_the_sid_of_the_domain_with_its_number(
    faulty: FaultyLdap, faulted: LdapDirectory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.on_search = in_turn(with_primary(DOMAIN, b"513"), entries())
    (asked,) = asked_for(faulted, clock, monkeypatch)
    assert f"(objectSid={escaped_octets('S-1-5-21-1-2-3-513')})" in asked


def test_a_filter_that_climbs_by_itself_climbs_from_the_primary_group_too(
    faulty: FaultyLdap, clock: Clock, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tools.settings(faulty.uri, group_filter=IN_CHAIN, nested_groups=False)
    directory = LdapDirectory(settings, clock, Wanted(groups=True))
    primary, above = entries((group_dn("users"), {})), entries((group_dn("everybody"), {}))
    faulty.on_search = in_turn(with_primary(DOMAIN, b"513"), primary, primary, above)
    asked = asked_for(directory, clock, monkeypatch)
    assert asked[1:] == [
        f"(objectSid={escaped_octets('S-1-5-21-1-2-3-513')})",
        IN_CHAIN.format(dn=escaped_octets(group_dn("users"))),
    ]
    assert groups_of(directory, "alice", clock) == normal("users", "everybody")
    directory.close()


# What it costs


def test_the_searches_of_a_login_are_the_person_s_and_one_a_level_and_none_within_cache_seconds(
    slapd: Slapd, opened: Open, clock: Clock, uid: str
) -> None:
    slapd.add_person(uid, "password")
    slapd.add_group(f"{uid}a", person_dn(uid))
    slapd.add_group(f"{uid}b", group_dn(f"{uid}a"))
    directory = opened()
    before, connections = slapd.searches(), slapd.connections()
    expected = normal(f"{uid}a", f"{uid}b")
    assert groups_of(directory, uid, clock) == expected
    assert (slapd.searches() - before, slapd.connections() - connections) == (4, 1)
    clock.advance(59)
    assert groups_of(directory, uid, clock) == expected
    assert slapd.searches() == before + 4
    clock.advance(2)
    slapd.delete(group_dn(f"{uid}b"))
    assert groups_of(directory, uid, clock) == normal(f"{uid}a")
    assert slapd.searches() == before + 7


def test_groups_that_nobody_wants_are_not_looked_for(slapd: Slapd, clock: Clock, tools: Tools, uid: str) -> None:
    slapd.add_person(uid, "password")
    slapd.add_group(uid, person_dn(uid))
    directory = LdapDirectory(tools.settings(slapd.uri, ca_file=slapd.ca_file), clock)
    before = slapd.searches()
    assert groups_of(directory, uid, clock) == set()
    assert slapd.searches() == before + 1
    directory.close()


def test_nobody_and_two_people_of_one_name_have_no_groups_to_look_for(
    faulty: FaultyLdap, faulted: LdapDirectory, clock: Clock
) -> None:
    faulty.on_search = in_turn(entries(), entries(FOUND, FOUND))
    faulted.find("nobody", clock.soon())
    faulted.find("alice", clock.soon())
    assert len(faulty.searches) == 2


# What is not known is not "no groups"


def but_for_probes(faulty: FaultyLdap, *answers: Answer) -> Answer:
    """Answer in turn; a probe, which reads the base entry, is always answered well, and does not count.

    Where there is one server, whatever may be repeated is asked three times: by a kept connection, by a fresh one, and
    when a probe has found the server well.
    """
    turns = in_turn(*answers)
    return lambda message_id: entries()(message_id) if faulty.searches[-1].scope == 0 else turns(message_id)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (result("searchResDone", 32), r"the search in 'dc=example,dc=org' failed: noSuchObject \(32\)"),
        (result("searchResDone", 50, "no rights"), r"insufficientAccessRights \(50\): no rights"),
        (result("searchResDone", 10, referral="ldap://127.0.0.1:9/"), "referral"),
        (result("searchResDone", 3), "timeLimitExceeded"),
        (result("searchResDone", 11), "adminLimitExceeded"),
        (result("searchResDone", 51), "busy"),
        (entries((group_dn("a"), {}), code=4), "is in more than 1000 groups, or in more than the server lists"),
        (hang_up, "the server closed the connection"),
        (octets(b"0" * 500), "the answer cannot be read"),
        (lambda message_id: entries((group_dn("a"), {}))(message_id).replace(b"cn=a", b"cn=\xe4"), "cannot be read"),
        (result("bindResponse", 0), "an answer to another question"),
        (silence, "no answer in time"),
    ],
)
def test_a_group_search_that_fails_is_unavailable_and_not_remembered(
    faulty: FaultyLdap, faulted: LdapDirectory, clock: Clock, answer: Callable[[int], bytes], cause: str
) -> None:
    faulty.on_search = but_for_probes(faulty, entries(FOUND), *[answer] * 3)
    with pytest.raises(Unavailable, match=cause):
        faulted.find("alice", clock.soon())
    faulty.on_search = but_for_probes(faulty, entries(FOUND), entries((group_dn("a"), {})), entries())
    assert groups_of(faulted, "alice", clock) == normal("a")


def test_a_failure_two_levels_up_is_unavailable(faulty: FaultyLdap, faulted: LdapDirectory, clock: Clock) -> None:
    busy = result("searchResDone", 51)
    faulty.on_search = but_for_probes(faulty, entries(FOUND), entries((group_dn("a"), {})), busy, busy, busy)
    with pytest.raises(Unavailable, match="busy"):
        faulted.find("alice", clock.soon())


def test_a_group_base_that_does_not_exist_is_unavailable(slapd: Slapd, opened: Open, clock: Clock, uid: str) -> None:
    slapd.add_person(uid, "password")
    with pytest.raises(Unavailable, match=r"ou=nowhere.*noSuchObject \(32\)"):
        opened(group_base=f"ou=nowhere,{SUFFIX}").find(uid, clock.soon())


def test_references_elsewhere_are_passed_by(faulty: FaultyLdap, faulted: LdapDirectory, clock: Clock) -> None:
    """Active Directory sends three of them with every search from the domain's root."""
    faulty.on_search = in_turn(entries(FOUND), entries((group_dn("a"), {}), elsewhere="ldap://127.0.0.1:9/"), entries())
    assert groups_of(faulted, "alice", clock) == normal("a")


def test_all_searches_of_a_login_end_at_its_deadline(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    """A second each, in an endless chain of groups: no one of them is late, and together they are."""
    numbers = itertools.count()

    def a_second_later(message_id: int) -> bytes:
        clock.advance(1)
        return entries((group_dn(f"g{next(numbers)}"), {}))(message_id)

    faulty.on_search = lambda message_id: (
        a_second_later(message_id) if len(faulty.searches) > 1 else entries(FOUND)(message_id)
    )
    directory = LdapDirectory(tools.settings(faulty.uri, timeout=2.0), clock, Wanted(groups=True))
    with pytest.raises(Unavailable, match=r"no answer in time|no time left"):
        directory.find("alice", clock.soon(4))
    assert len([each for each in faulty.searches if each.scope != 0]) == 5  # without those of probes
    directory.close()


def test_only_the_names_of_groups_are_asked_for(faulty: FaultyLdap, faulted: LdapDirectory, clock: Clock) -> None:
    """Groups may have a hundred thousand members, who would all be sent."""
    faulty.on_search = in_turn(entries(FOUND), entries())
    faulted.find("alice", clock.soon())
    request = faulty.searches[1]
    assert (request.base, request.scope, request.aliases, request.attributes) == (SUFFIX, 2, 0, ("1.1",))
    assert request.time_limit == 1


def test_a_group_filter_that_cannot_serve_is_refused(clock: Clock, tools: Tools) -> None:
    with pytest.raises(ValueError, match=r"^group_filter: \(\{dn\}=x\): a placeholder stands where only a value may"):
        LdapDirectory(tools.settings("ldap://localhost", group_filter="({dn}=x)"), clock)
