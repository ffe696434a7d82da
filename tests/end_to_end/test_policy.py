"""The policy at the real program: who must show what, where, and what the client and its users are told."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest

from radius2fa.otp.token import YubiKey
from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT, CHALLENGE, REJECT, STATE, Reply, Shown, at_once
from tests.otp.touched import touched
from tests.servers.program import Section
from tests.servers.slapd import GROUPS, Slapd, group_dn

ACCEPTED, REFUSED, ASKED = "Access-Accept", "Access-Reject", "Access-Challenge"
REFUSAL = (18, b"Aanmelden geweigerd.")  # Reply-Message, in the language of the server
PORTAL = "https://portal.example.org"
DAY = timedelta(days=1)

# Vendor 32473 is there for examples (RFC 5612). radclient reads the same file.
SITE_DICTIONARY = """\
VENDOR        Example        32473
BEGIN-VENDOR  Example
ATTRIBUTE     Example-Role   1      string
ATTRIBUTE     Example-Level  2      integer
VALUE         Example-Level  Operator  7
END-VENDOR    Example
"""

CLIENTS = (
    client("before", "127.0.0.1"),
    client("after", "127.0.0.2"),
    client("asking-before", "127.0.0.3", code="challenge"),
    client("place", "127.0.0.4"),
    client("gate", "127.0.0.5"),
    client("keys", "127.0.0.6"),
    client("order", "127.0.0.7"),
    client("told", "127.0.0.8", code="either"),
    client("told-appended", "127.0.0.15"),
    client("site", "127.0.0.9"),
    client("plain", "127.0.0.10"),
    client("german", "127.0.0.11", code="challenge", language="de-AT"),
    client("french", "127.0.0.12", code="challenge", language="fr"),
    client("low-german", "127.0.0.13", code="challenge", language="nds"),
    client("worded", "127.0.0.14", code="challenge", prompt="Code? {portal}", refusal="No. {portal}/help"),
)

# In the order of the file.
POLICIES: tuple[Section, ...] = (
    {
        "name": "rollout",
        "clients": ["before", "asking-before"],
        "second_factor": "if-enrolled",
        "until": date.today() + DAY,  # noqa: DTZ011 - the server's own day, as the file means it
    },
    {
        "name": "rolled-out",
        "clients": ["after"],
        "second_factor": "if-enrolled",
        "until": date.today() - DAY,  # noqa: DTZ011 - as above
    },
    {
        "name": "office",
        "clients": ["place"],
        "networks": ["192.0.2.0/24", "2001:db8:1::/48"],
        "second_factor": "off",
        "reply": {"Filter-Id": "office"},
    },
    {"name": "contractors", "clients": ["gate"], "groups": [group_dn("polcontractors")], "second_factor": "deny"},
    {"name": "members", "clients": ["gate"], "required_groups": [group_dn("polvpn")]},
    {"name": "keys", "clients": ["keys"], "kinds": ["yubikey"]},
    {"name": "first", "clients": ["order"], "users": ["Orderly"], "reply": {"Filter-Id": "first"}},
    {"name": "second", "clients": ["order"], "networks": ["192.0.2.0/24"], "reply": {"Filter-Id": "second"}},
    {"name": "third", "reply": {"Filter-Id": "third"}, "clients": ["order"]},
    {
        "name": "told",
        "clients": ["told", "told-appended"],
        "reply": {
            "Filter-Id": "staff",
            "Session-Timeout": {"ldap": "employeeNumber"},
            "Class": {"ldap": "departmentNumber"},
            "Cisco-AVPair": ["ip:addr-pool=vpn", "shell:priv-lvl=1"],
            "Fortinet-Group-Name": {"groups": {group_dn("polvpn"): "vpn", group_dn("poladmins"): "admins"}},
            "Mikrotik-Group": {
                "groups": {group_dn("poladmins"): "full", group_dn("polvpn"): "read"},
                "first": True,
            },
            "Tunnel-Type:1": "VLAN",
            "Tunnel-Medium-Type:1": "IEEE-802",
            "Tunnel-Private-Group-ID:1": {"groups": {group_dn("poladmins"): "10", group_dn("polvpn"): "20"}},
        },
    },
    {"name": "site", "clients": ["site"], "reply": {"Example-Role": "night shift", "Example-Level": "Operator"}},
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dictionary of a site, in a folder of its own, as radclient wants it."""
    file = tmp_path_factory.mktemp("site") / "dictionary"
    file.write_text(SITE_DICTIONARY)
    return file


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready, site: Path) -> Iterator[House]:
    slapd.add_group("polteam", "cn=nobody")
    slapd.add_group("polvpn", group_dn("polteam"))
    slapd.add_group("poladmins", "cn=nobody")
    slapd.add_group("polcontractors", "cn=nobody")
    folder = tmp_path_factory.mktemp("policy")
    directory = directory_section(slapd, group_base=GROUPS, cache_seconds=0)
    more = [
        *(("[[policy]]", policy) for policy in POLICIES),
        ("[text.nds]", {"prompt": "Dien Slötel:", "refusal": "Du kümmst hier nich rin."}),
        ("[portal]", {"url": PORTAL}),
    ]
    server: Section = {"language": "nl", "dictionaries": [str(site)]}
    with House(folder, slapd, ready, clients=CLIENTS, directory=directory, server=server, more=more) as house:
        yield house


def join(house: House, person: Person, *groups: str) -> None:
    """Make somebody a member of groups."""
    for cn in groups:
        house.slapd.change(f"dn: {group_dn(cn)}\nchangetype: modify\nadd: member\nmember: {person.dn}\n")


def by_password(house: House, name: str, person: Person, *more: str) -> Shown:
    """Try the password alone."""
    return house.radclient(name, person.uid, person.password, *more)


# --- A second factor, or none


def test_before_the_date_only_whoever_has_a_token_needs_it(house: House) -> None:
    bare, enrolled, former = house.person(token=False), house.person(), house.person()
    house.disable(former)

    assert by_password(house, "before", bare).name == ACCEPTED
    assert house.last(bare.uid) == ("accept", None, "not-enrolled", "rollout")
    assert by_password(house, "before", enrolled).name == REFUSED
    assert house.last(enrolled.uid) == ("reject", "no-code", None, "rollout")
    assert by_password(house, "before", former).name == REFUSED, "who has lost the token is no newcomer"
    assert house.come_in("before", enrolled, enrolled.code()).name == ACCEPTED


def test_before_the_date_a_wrong_password_is_still_wrong(house: House) -> None:
    bare = house.person(token=False)

    assert house.radclient("before", bare.uid, b"wrong").name == REFUSED
    assert (house.last(bare.uid)[1], house.failures(bare)) == ("wrong-password", 1)


def test_before_the_date_whoever_waits_for_their_token_needs_none(house: House) -> None:
    """A token that is going to be valid some day is sent by post, perhaps."""
    alice = house.person()
    assert house.store.tokens.set_valid(alice.token, time.time() + 3600, None)

    assert by_password(house, "before", alice).name == ACCEPTED
    assert house.last(alice.uid) == ("accept", None, "not-enrolled", "rollout")


def test_before_the_date_a_client_that_asks_does_so_after_a_wrong_password(house: House) -> None:
    """That somebody needs no code shows only to whoever knows the password."""
    bare, enrolled = house.person(token=False), house.person()

    assert by_password(house, "asking-before", bare).name == ACCEPTED
    assert by_password(house, "asking-before", enrolled).name == ASKED
    asked = house.radclient("asking-before", bare.uid, b"wrong")
    assert (asked.name, house.failures(bare)) == (ASKED, 1)


def test_from_the_date_on_everybody_needs_a_token(house: House) -> None:
    bare, enrolled = house.person(token=False), house.person()

    assert by_password(house, "after", bare).name == REFUSED
    assert house.last(bare.uid) == ("reject", "no-token", None, "rolled-out")
    assert by_password(house, "after", enrolled).name == REFUSED
    assert house.come_in("after", enrolled, enrolled.code()).name == ACCEPTED
    assert house.slapd.binds(bare.dn) == 0


INSIDE = [
    ["Calling-Station-Id = 192.0.2.7"],
    ["Calling-Station-Id = 192.0.2.7:4711"],
    ["Calling-Station-Id = 2001:db8:1::7"],
    ["Calling-Station-Id = '[2001:db8:1::7]:4711'"],
    ["Calling-Station-Id = ::ffff:192.0.2.7"],
    ["Framed-IP-Address = 192.0.2.7"],
    ["Calling-Station-Id = 00-11-22-33-44-55", "Framed-IP-Address = 192.0.2.7"],
]
OUTSIDE = [
    [],
    ["Calling-Station-Id = 198.51.100.7"],
    ["Calling-Station-Id = 2001:db8:2::7"],
    ["Calling-Station-Id = '192.0.2.7 or so'"],
    ["Calling-Station-Id = 00-11-22-33-44-55"],
    ["Framed-IP-Address = 198.51.100.7"],
    ["Calling-Station-Id = 198.51.100.7", "Framed-IP-Address = 192.0.2.7"],
    ["NAS-IP-Address = 192.0.2.7"],
]


def test_at_an_address_of_the_network_the_password_is_enough(house: House) -> None:
    alice, bare = house.person(), house.person(token=False)
    for person in (alice, bare):
        for told in INSIDE:
            reply = by_password(house, "place", person, *told)
            assert (reply.name, reply.told) == (ACCEPTED, (("Filter-Id", "office"),)), told
            assert house.last(person.uid) == ("accept", None, "off", "office")
    assert house.radclient("place", alice.uid, b"wrong", *INSIDE[0]).name == REFUSED
    assert house.radclient("place", alice.uid, alice.typed(), *INSIDE[0]).name == ACCEPTED, "a code may be typed"
    assert house.last(alice.uid) == ("accept", None, "hotp", "office")


def test_a_wrong_password_that_a_device_repeats_comes_to_the_directory_once(house: House) -> None:
    """Where no code stands before it, the directory would lock the account."""
    alice = house.person()
    here = INSIDE[0]

    for _ in range(6):
        assert house.radclient("place", alice.uid, b"old password", *here).name == REFUSED
    assert house.journal(alice.uid) == [("reject", "wrong-password")] * 6
    assert (house.slapd.binds(alice.dn), house.failures(alice)) == (1, 1)

    assert house.radclient("place", alice.uid, b"another password", *here).name == REFUSED
    assert house.slapd.binds(alice.dn) == 2
    assert by_password(house, "place", alice, *here).name == ACCEPTED


@pytest.mark.parametrize("told", OUTSIDE, ids=str)
def test_elsewhere_the_password_is_not_enough(house: House, told: list[str]) -> None:
    alice = house.person()

    assert by_password(house, "place", alice, *told).name == REFUSED
    assert house.last(alice.uid) == ("reject", "no-code", None, None)
    assert house.slapd.binds(alice.dn) == 0


def test_whom_the_policy_denies_no_code_helps_and_none_is_burned(house: House) -> None:
    alice = house.person()
    join(house, alice, "polcontractors", "polteam")
    typed = alice.typed()

    assert house.radclient("gate", alice.uid, typed).name == REFUSED
    assert house.last(alice.uid) == ("reject", "denied-by-policy", None, "contractors")
    assert (house.slapd.binds(alice.dn), house.failures(alice)) == (0, 0)
    assert house.radclient("plain", alice.uid, typed).name == ACCEPTED, "elsewhere"


def test_a_required_group_may_be_one_that_holds_the_users_own(house: House) -> None:
    direct, through, stranger = house.person(), house.person(), house.person()
    join(house, direct, "polvpn")
    join(house, through, "polteam")
    join(house, stranger, "poladmins")

    assert house.come_in("gate", direct, direct.code()).name == ACCEPTED
    assert house.come_in("gate", through, through.code()).name == ACCEPTED
    assert house.come_in("gate", stranger, stranger.code()).name == REFUSED
    assert house.last(stranger.uid) == ("reject", "not-in-required-group", None, "members")
    assert (house.slapd.binds(stranger.dn), house.counter(stranger)) == (0, 0)

    join(house, stranger, "polteam")
    assert house.radclient("gate", stranger.uid, stranger.password + stranger.codes[0]).name == ACCEPTED


def test_a_kind_that_is_not_allowed_is_refused_and_not_counted(house: House) -> None:
    alice = house.person()
    key = YubiKey(f"key of {alice.uid}", "ccccbdefghij", b"sixteen octets..", b"sixsix")
    house.give(alice, key)

    assert house.come_in("keys", alice, alice.codes[0]).name == REFUSED
    assert house.last(alice.uid) == ("reject", "kind-not-allowed", None, "keys")
    assert (house.failures(alice), house.counter(alice), house.slapd.binds(alice.dn)) == (0, 0, 0)
    assert house.come_in("keys", alice, touched(key, 1, 1)).name == ACCEPTED
    assert house.come_in("plain", alice, alice.codes[0]).name == ACCEPTED, "elsewhere"


def test_the_first_rule_that_holds_decides(house: House) -> None:
    orderly, other = house.person("orderly"), house.person()
    here = "Calling-Station-Id = 192.0.2.7"

    replies = [
        house.come_in("order", orderly, orderly.code(), here),  # all three hold
        house.come_in("order", other, other.code(), here),
        house.come_in("order", other, other.code()),
        house.radclient("order", "ORDERLY", orderly.typed()),
        house.come_in("plain", other, other.code(), here),
    ]

    assert [reply.told for reply in replies] == [
        (("Filter-Id", "first"),),
        (("Filter-Id", "second"),),
        (("Filter-Id", "third"),),
        (("Filter-Id", "first"),),
        (),
    ]


def test_a_bypass_lets_the_password_alone_in_until_it_ends(house: House) -> None:
    alice = house.person()
    join(house, alice, "polteam")
    assert by_password(house, "plain", alice).name == REFUSED

    house.program.run("user", "bypass", alice.uid, "--for", "30m")
    assert by_password(house, "plain", alice).name == ACCEPTED
    assert house.last(alice.uid) == ("accept", None, "bypass", None)
    assert by_password(house, "gate", alice).name == ACCEPTED
    assert house.radclient("plain", alice.uid, b"wrong").name == REFUSED
    assert house.last(alice.uid)[1] == "wrong-password"
    assert house.come_in("plain", alice, alice.code()).name == ACCEPTED

    now = time.time()
    house.store.accounts.bypass(alice.subject, alice.uid, now - 1, now - 60)  # as if its time were over
    assert by_password(house, "plain", alice).name == REFUSED
    assert house.last(alice.uid)[1] == "no-code"


def test_a_bypass_opens_no_door_that_the_policy_closes(house: House) -> None:
    denied, stranger = house.person(), house.person()
    join(house, denied, "polcontractors")
    now = time.time()
    for person in (denied, stranger):
        house.store.accounts.bypass(person.subject, person.uid, now + 60, now)
        assert by_password(house, "gate", person).name == REFUSED
    assert house.last(denied.uid)[1] == "denied-by-policy"
    assert house.last(stranger.uid)[1] == "not-in-required-group"


# --- What the client is told


def employee(house: House, number: str = "28800") -> Person:
    """Somebody with all that the replies are made of."""
    person = house.person(employeeNumber=number)
    values = "".join(f"departmentNumber: {value}\n" for value in ("D-12", "Grüße"))
    house.slapd.change(f"dn: {person.dn}\nchangetype: modify\nadd: departmentNumber\n{values}")
    return person


EXPECTED = (
    ("Filter-Id", "staff"),
    ("Session-Timeout", "28800"),
    ("Class", "0x" + b"D-12".hex()),
    ("Class", "0x" + "Grüße".encode().hex()),
    ("Cisco-AVPair", "ip:addr-pool=vpn"),
    ("Cisco-AVPair", "shell:priv-lvl=1"),
    ("Fortinet-Group-Name", "vpn"),
    ("Fortinet-Group-Name", "admins"),
    ("Mikrotik-Group", "full"),
    ("Tunnel-Type:1", "VLAN"),
    ("Tunnel-Medium-Type:1", "IEEE-802"),
    ("Tunnel-Private-Group-Id:1", "10"),
    ("Tunnel-Private-Group-Id:1", "20"),
)


def test_radclient_reads_what_the_policy_tells(house: House) -> None:
    """Constants, values of the entry, one for each group, of vendors, with tags."""
    alice = employee(house)
    join(house, alice, "poladmins", "polteam")

    appended = house.come_in("told", alice, alice.code())
    state = f"State = {by_password(house, 'told', alice).one('State')}"
    answered = house.radclient("told", alice.uid, alice.code(), state)

    assert (appended.name, appended.told) == (ACCEPTED, EXPECTED)
    assert (answered.name, answered.told) == (ACCEPTED, EXPECTED)


def test_only_groups_of_the_user_are_told(house: House) -> None:
    alice = house.person()
    join(house, alice, "polteam")

    told = house.come_in("told", alice, alice.code())

    assert told.told == tuple(
        each
        for each in (*EXPECTED[:8], ("Mikrotik-Group", "read"), *EXPECTED[9:])
        if each[0] not in ("Session-Timeout", "Class") and each[1] not in ("admins", "10")
    ), "and no value is an empty one"


def test_what_is_told_is_the_same_octets_after_an_appended_code_and_after_a_challenge(house: House) -> None:
    alice = employee(house)
    join(house, alice, "poladmins")
    with house.nas("told") as nas:
        appended = nas.login(alice.uid, alice.typed())
        asked = nas.login(alice.uid, alice.password)
        answered = nas.login(alice.uid, alice.code(), state=asked.answer.one(STATE))

    assert (appended.code, asked.code, answered.code) == (ACCEPT, CHALLENGE, ACCEPT)
    assert len(appended.told) == 11
    assert appended.told == answered.told
    assert {type_ for type_, _ in asked.told} == {18, 24, 27, 76}, "a challenge tells nothing of the user"


@pytest.mark.parametrize("way", ["appended", "challenge"])
def test_whose_entry_fits_no_attribute_is_refused_without_a_bind(house: House, way: str) -> None:
    """A client must not be told half of what it is meant to know."""
    alice = employee(house, number="soon")
    with house.nas("told" if way == "challenge" else "told-appended") as nas:
        state = nas.login(alice.uid, alice.password).answer.one(STATE) if way == "challenge" else None
        refused = nas.login(alice.uid, alice.code() if state else alice.typed(), state=state)

    assert (refused.code, refused.told) == (REJECT, (REFUSAL,))
    assert house.last(alice.uid) == ("reject", "reply-attribute-unusable", None, "told")
    assert (house.slapd.binds(alice.dn), house.counter(alice), house.failures(alice)) == (0, 0, 0)
    assert house.radclient("plain", alice.uid, alice.password + alice.codes[0]).name == ACCEPTED, "elsewhere"


def test_attributes_of_the_sites_own_dictionary_are_told(house: House, site: Path) -> None:
    alice = house.person()

    reply = house.radclient("site", alice.uid, alice.typed(), options=["-d", str(site.parent)])

    assert (reply.name, reply.told) == (ACCEPTED, (("Example-Role", "night shift"), ("Example-Level", "Operator")))


# --- What users read


@pytest.mark.parametrize(
    ("name", "prompt", "refusal"),
    [
        ("asking-before", "Eenmalige code:", "Aanmelden geweigerd."),
        ("german", "Einmalcode:", "Anmeldung abgelehnt."),
        ("french", "Code à usage unique :", "Connexion refusée."),
        ("low-german", "Dien Slötel:", "Du kümmst hier nich rin."),
        ("worded", f"Code? {PORTAL}", f"No. {PORTAL}/help"),
    ],
)
def test_users_read_the_texts_of_their_client(house: House, name: str, prompt: str, refusal: str) -> None:
    alice = house.person()

    asked = by_password(house, name, alice)
    refused = house.radclient(name, alice.uid, alice.wrong_code(), f"State = {asked.one('State')}")

    assert (asked.name, asked.one("Reply-Message")) == (ASKED, prompt)
    assert (refused.name, refused.told) == (REFUSED, (("Reply-Message", refusal),))


def replies_to(house: House, name: str, attempts: list[tuple[str, bytes, bytes]]) -> list[Reply]:
    """Let people (name, password, code) log in at the same time, with the code where the client wants it."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(house.nas(name)) for _ in attempts]
        pairs = list(zip(sockets, attempts, strict=True))
        if house.clients[name].get("code") != "challenge":
            return at_once([(nas, nas.request(user, password + code)) for nas, (user, password, code) in pairs])
        asked = at_once([(nas, nas.request(user, password)) for nas, (user, password, _) in pairs])
        states = [reply.answer.one(STATE) for reply in asked]
        return at_once(
            [
                (nas, nas.request(user, code, state=state))
                for (nas, (user, _, code)), state in zip(pairs, states, strict=True)
            ]
        )


@pytest.mark.parametrize("name", ["german", "worded", "plain"])
def test_at_one_client_every_refusal_is_the_same(house: House, name: str) -> None:
    """Whoever is refused, and why."""
    alice, bob, carol, bare = house.person(), house.person(), house.person(), house.person(token=False)
    house.disable(carol)
    stranger = f"stranger-of-{name}"
    attempts = [
        (alice.uid, alice.password, alice.wrong_code()),
        (bob.uid, b"wrong", bob.code()),
        (carol.uid, carol.password, carol.code()),
        (bare.uid, bare.password, b"123456"),
        (stranger, b"whatever", b"123456"),
    ]

    replies = replies_to(house, name, attempts)

    reasons = [house.last(user)[1] for user, *_ in attempts]
    assert reasons == ["wrong-code", "wrong-password", "token-disabled", "no-token", "no-such-user"]
    assert {reply.code for reply in replies} == {REJECT}
    assert len({reply.told for reply in replies}) == 1
    assert {type_ for type_, _ in replies[0].told} == {18}
