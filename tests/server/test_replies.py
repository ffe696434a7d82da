"""What a policy tells the client of an accepted user: in octets, as they go on the wire (RFC 2865, RFC 2868)."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from radius2fa.config.places import shipped
from radius2fa.login.policy import Unfit, no_reply
from radius2fa.login.ports import Entry
from radius2fa.radius.attributes import ReplyAttribute
from radius2fa.radius.clients import Client
from radius2fa.radius.dictionary import Dictionary
from radius2fa.radius.packet import decode
from radius2fa.radius.reply import accept, encode
from radius2fa.server.replies import Replies, replies
from tests.radius import wire
from tests.server.configured import policy, settings

STAFF, ADMINS = "cn=staff,dc=example,dc=org", "cn=admins,dc=example,dc=org"


def entry(*groups: str, **attributes: tuple[str, ...]) -> Entry:
    return Entry("s", "uid=alice,dc=example,dc=org", "alice", "alice", frozenset(groups), attributes)


def told(values: dict[str, object], whom: Entry) -> list[bytes]:
    made = replies(settings(policy(reply=values)))
    assert made.faults == ()
    attributes = [each for each in made.by_policy["staff"](whom) if isinstance(each, ReplyAttribute)]
    return [each.octets(each.value) for each in attributes]


@pytest.mark.parametrize(
    ("values", "octets"),
    [
        ({"Filter-Id": "staff"}, [b"\x0b\x07staff"]),
        ({"Session-Timeout": 60}, [b"\x1b\x06\x00\x00\x00\x3c"]),
        (
            {"Filter-Id": "staff", "Cisco-AVPair": ["a=1", "b=2"], "Session-Timeout": 60},
            [
                b"\x0b\x07staff",
                b"\x1a\x0b\x00\x00\x00\x09\x01\x05a=1",
                b"\x1a\x0b\x00\x00\x00\x09\x01\x05b=2",
                b"\x1b\x06\x00\x00\x00\x3c",
            ],
        ),
        (
            {"Tunnel-Type:1": "VLAN", "Tunnel-Medium-Type:1": "IEEE-802", "Tunnel-Private-Group-ID:1": "42"},
            [b"\x40\x06\x01\x00\x00\x0d", b"\x41\x06\x01\x00\x00\x06", b"\x51\x05\x0142"],
        ),
        ({"Class": ["a", "b"]}, [b"\x19\x03a", b"\x19\x03b"]),
    ],
)
def test_constants_stand_in_the_order_of_the_file(values: dict[str, object], octets: list[bytes]) -> None:
    assert told(values, entry()) == octets


GROUPS = {ADMINS: "10", "CN=Staff, DC=example, DC=org": "20", "cn=all,dc=example,dc=org": "30"}


@pytest.mark.parametrize(
    ("groups", "first", "octets"),
    [
        ([STAFF], False, [b"\x51\x05\x0120"]),
        ([STAFF, ADMINS], False, [b"\x51\x05\x0110", b"\x51\x05\x0120"]),
        ([STAFF, ADMINS], True, [b"\x51\x05\x0110"]),
        ([STAFF, "cn=all,dc=example,dc=org"], True, [b"\x51\x05\x0120"]),
        (["cn=others,dc=example,dc=org"], False, []),
        ([], True, []),
    ],
)
def test_a_group_has_its_value_in_the_order_of_the_table(
    groups: list[str],
    first: bool,  # noqa: FBT001 - a case
    octets: list[bytes],
) -> None:
    values = {"Tunnel-Private-Group-ID:1": {"groups": GROUPS, "first": first}}
    assert told(values, entry(*groups)) == octets


def test_a_group_may_have_a_number() -> None:
    assert told({"Session-Timeout": {"groups": {STAFF: 60}}}, entry(STAFF)) == [b"\x1b\x06\x00\x00\x00\x3c"]


@pytest.mark.parametrize(
    ("attribute", "values", "octets"),
    [
        ("Class", ("one", "two"), [b"\x19\x05one", b"\x19\x05two"]),
        ("Class", (), []),
        ("Session-Timeout", ("60",), [b"\x1b\x06\x00\x00\x00\x3c"]),
        ("Framed-IP-Address", ("192.0.2.7",), [b"\x08\x06\xc0\x00\x02\x07"]),
        ("Service-Type", ("Framed-User",), [b"\x06\x06\x00\x00\x00\x02"]),
        ("Tunnel-Private-Group-ID:2", ("7",), [b"\x51\x04\x027"]),
    ],
)
def test_every_value_of_the_entry_is_told(attribute: str, values: tuple[str, ...], octets: list[bytes]) -> None:
    assert told({attribute: {"ldap": "departmentNumber"}}, entry(departmentnumber=values)) == octets


def test_what_is_taken_from_the_directory_keeps_its_place_among_constants() -> None:
    values = {
        "Filter-Id": "a",
        "Class": {"ldap": "ou"},
        "Reply-Message": {"groups": {STAFF: "b"}},
        "Session-Timeout": 1,
    }
    octets = told(values, entry(STAFF, ou=("c",)))
    assert [each[0] for each in octets] == [11, 25, 18, 27]


@pytest.mark.parametrize(
    ("attribute", "value", "why"),
    [
        ("Framed-IP-Address", "everywhere", r"^Framed-IP-Address: 'everywhere' .* \(pager of the entry\)$"),
        ("Session-Timeout", "soon", r"^Session-Timeout: 'soon' "),
        ("Class", "x" * 254, r"^Class: the value is 1 octets too long"),
        ("Class", "", r"^Class: an attribute's value cannot be empty"),
    ],
)
def test_a_value_of_the_entry_that_does_not_fit_is_unfit(attribute: str, value: str, why: str) -> None:
    made = replies(settings(policy(reply={attribute: {"ldap": "pager"}})))
    with pytest.raises(Unfit, match=why):
        made.by_policy["staff"](entry(pager=("192.0.2.1" if attribute.startswith("Framed") else "1", value)))


def test_the_value_of_an_encrypted_attribute_is_never_told() -> None:
    made = replies(settings(policy(reply={"Tunnel-Password:1": {"ldap": "pager"}})))
    with pytest.raises(Unfit) as raised:
        made.by_policy["staff"](entry(pager=("canary" * 50,)))
    assert str(raised.value).startswith("Tunnel-Password: ")
    assert "canary" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("values", "key", "message", "remedy"),
    [
        (
            {"Filtre-Id": "x"},
            ("Filtre-Id",),
            "no dictionary knows 'Filtre-Id': is it Filter-Id?",
            "Correct the name, or give the dictionary that it stands in as server.dictionaries.",
        ),
        (
            {"Filter-Id:1": "x"},
            ("Filter-Id:1",),
            "Filter-Id takes no tag",
            "Correct the name, or give the dictionary that it stands in as server.dictionaries.",
        ),
        (
            {"Filtre-Id": {"ldap": "ou"}},
            ("Filtre-Id",),
            "no dictionary knows 'Filtre-Id': is it Filter-Id?",
            "Correct the name, or give the dictionary that it stands in as server.dictionaries.",
        ),
        (
            {"Session-Timeout": "soon"},
            ("Session-Timeout",),
            "Session-Timeout: 'soon' does not fit the type integer",
            "Correct the value.",
        ),
        (
            {"Session-Timeout": {"groups": {STAFF: 1, ADMINS: "soon"}}},
            ("Session-Timeout", "groups", ADMINS),
            "Session-Timeout: 'soon' does not fit the type integer",
            "Correct the value.",
        ),
    ],
)
def test_what_cannot_be_sent_is_a_fault_with_its_place(
    values: dict[str, object], key: tuple[str, ...], message: str, remedy: str
) -> None:
    (fault,) = replies(settings(policy("first"), policy(reply={"Class": "x", **values}))).faults
    assert (fault.key, fault.message, fault.remedy) == (("policy", 1, "reply", *key), message, remedy)


def test_every_fault_is_found_at_once() -> None:
    faults = replies(
        settings(policy("a", reply={"X": 1, "Session-Timeout": ["soon", 5, "late"]}), policy("b", reply={"Y": 1}))
    ).faults
    assert [fault.key for fault in faults] == [
        ("policy", 0, "reply", "X"),
        ("policy", 0, "reply", "Session-Timeout"),
        ("policy", 0, "reply", "Session-Timeout"),
        ("policy", 1, "reply", "Y"),
    ]


# 12 texts of 253 octets, each in an attribute of 255 octets, and 12 more octets: 3072 in all.
FULL = {"Reply-Message": ["x" * 253] * 12, "Session-Timeout": 1, "Idle-Timeout": 1}
NO_ROOM = "no room, since the attributes of a reply may take 3072 octets together"


def test_the_largest_reply_goes_out_whole_beside_all_that_a_packet_may_have_to_hold() -> None:
    (*attributes,) = replies(settings(policy(reply=FULL))).by_policy["staff"](entry())
    kept = tuple(each for each in attributes if isinstance(each, ReplyAttribute))
    assert sum(each.size for each in kept) == 3072
    client = Client("nas", (ip_network("127.0.0.1"),), b"s" * 24)
    asked = wire.access_request(b"alice", b"secret", (33, b"p" * 253), (33, b"q" * 253), secret=client.secret)
    request = decode(asked.octets, client)
    encoded = encode(accept(kept, class_=b"c" * 253), request, lambda count: b"\xff" * count)
    assert encoded.left_out == ()
    assert len(encoded.octets) == 20 + 18 + 255 + 3072 + 2 * 255


@pytest.mark.parametrize("over", [{"Class": "x"}, {"Cisco-AVPair": ["a=1", "b=2"]}, {"Tunnel-Password:1": "x"}])
def test_constants_for_which_there_is_no_room_are_a_fault(over: dict[str, object]) -> None:
    (fault,) = replies(settings(policy("first"), policy(reply=FULL | over))).faults
    (name,) = over
    assert (fault.key, fault.message, fault.remedy) == (
        ("policy", 1, "reply"),
        f"{name.partition(':')[0]}: {NO_ROOM}",
        "Leave out some of the attributes, or shorten them.",
    )


def test_access_lists_that_are_too_long_are_a_fault_and_not_cut_off() -> None:
    lines = [f"ip:inacl#{number:02}=deny ip any host 192.0.2.{number}" + " " * 180 for number in range(20)]
    (fault,) = replies(settings(policy(reply={"Cisco-AVPair": lines, "Filter-Id": "restricted"}))).faults
    assert fault.message == f"Cisco-AVPair: {NO_ROOM}"


@pytest.mark.parametrize(
    ("value", "whom", "fits"),
    [
        ({"ldap": "ou"}, entry(ou=("x",)), False),
        ({"ldap": "ou"}, entry(ou=()), True),
        ({"groups": {STAFF: "x"}}, entry(STAFF), False),
        ({"groups": {STAFF: "x"}}, entry(ADMINS), True),
    ],
)
def test_what_is_somebodys_own_and_finds_no_room_is_unfit_for_them_only(
    value: dict[str, object],
    whom: Entry,
    fits: bool,  # noqa: FBT001 - a case
) -> None:
    made = replies(settings(policy(reply=FULL | {"Class": value})))
    assert made.faults == ()
    if fits:
        assert len(made.by_policy["staff"](whom)) == 14
    else:
        with pytest.raises(Unfit, match=f"^Class: {NO_ROOM}$"):
            made.by_policy["staff"](whom)


def test_the_last_octet_counts() -> None:
    made = replies(settings(policy(reply={"Reply-Message": ["x" * 253] * 12, "Class": {"ldap": "ou"}})))
    assert len(made.by_policy["staff"](entry(ou=("x" * 10,)))) == 13
    with pytest.raises(Unfit, match=f"^Class: {NO_ROOM}$"):
        made.by_policy["staff"](entry(ou=("x" * 11,)))


def test_the_values_of_one_attribute_of_the_entry_alone_may_find_no_room() -> None:
    made = replies(settings(policy(reply={"Cisco-AVPair": {"ldap": "description"}})))
    assert len(made.by_policy["staff"](entry(description=("x" * 200,) * 14))) == 14  # 208 octets each
    with pytest.raises(Unfit, match=f"^Cisco-AVPair: {NO_ROOM}$"):
        made.by_policy["staff"](entry(description=("x" * 200,) * 15))


def test_a_policy_without_a_reply_tells_nothing() -> None:
    made = replies(settings(policy("silent"), policy(reply={"Class": "x"})))
    assert made.by_policy["silent"] is no_reply


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, ...]]:
    """Counts how often dictionaries are read, which takes longer than all else of a start."""
    loads: list[tuple[Path, ...]] = []
    load = Dictionary.load

    def counting(folder: Path, *more: Path) -> Dictionary:
        loads.append((folder, *more))
        return load(folder, *more)

    monkeypatch.setattr(Dictionary, "load", counting)
    return loads


def test_dictionaries_are_read_once_for_all_policies(loads: list[tuple[Path, ...]]) -> None:
    replies(settings(policy("a", reply={"Class": "x"}), policy("b", reply={"Class": "y"})))
    assert loads == [(shipped("dictionaries"),)]


def test_dictionaries_are_not_read_where_there_is_nothing_to_tell(loads: list[tuple[Path, ...]]) -> None:
    assert replies(settings(policy("a"), policy("b"))) == Replies()
    assert loads == []


def test_a_site_has_dictionaries_of_its_own(tmp_path: Path) -> None:
    site = tmp_path / "site.dict"
    site.write_text(
        "VENDOR Acme 32473\nBEGIN-VENDOR Acme\nATTRIBUTE Acme-Role 7 string\nEND-VENDOR Acme\n", encoding="utf-8"
    )
    keys = {"server": {"dictionaries": [site]}}
    made = replies(settings(policy(reply={"Acme-Role": "boss"}), **keys))
    (attribute,) = made.by_policy["staff"](entry())
    assert isinstance(attribute, ReplyAttribute)
    # RFC 2865 section 5.26: type, length, vendor 32473 (RFC 5612), then type and length of the vendor's.
    assert attribute.octets(attribute.value) == b"\x1a\x0c\x00\x00\x7e\xd9\x07\x06boss"


def test_a_dictionary_that_cannot_be_used_is_the_one_fault(tmp_path: Path) -> None:
    site = tmp_path / "site.dict"
    site.write_text("ATTRIBUTE Acme-Role seven string\n", encoding="utf-8")
    keys = {"server": {"dictionaries": [site]}}
    (fault,) = replies(settings(policy(reply={"Acme-Role": "boss", "Class": "x"}), **keys)).faults
    assert fault.key == ("server", "dictionaries")
    assert fault.message.startswith(f"{site}:1: ")
    assert fault.remedy == "Correct that file, or take it out of the list."
