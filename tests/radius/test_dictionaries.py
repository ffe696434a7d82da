"""What the shipped dictionaries say, held against independent ones: FreeRADIUS's files, radclient, and pyrad."""

import functools
import re
from collections import Counter
from pathlib import Path

import pytest
from pyrad.dictionary import Dictionary as PyradDictionary

from radius2fa.config.places import shipped
from radius2fa.radius.dictionary import Attribute, Dictionary
from radius2fa.radius.reply import accept
from tests.radius.test_oracles import LOGIN, radclient

FOLDER = shipped("dictionaries")
FILES = sorted(path.name for path in FOLDER.iterdir())
WITHOUT_ATTRIBUTES = ["rfc5997", "ubiquiti", "watchguard"]
OURS = Dictionary.load(FOLDER)
FREERADIUS = Path("/usr/share/freeradius")

NOT_THEIRS = {"ASA-Access-Hours", "MS-ARAP-Challenge"}
# Binary by their RFC, though FreeRADIUS treats them as text; a network number of RFC 2865 section 5.23, not an address;
# and a type of FreeRADIUS's own.
TYPED_OTHERWISE = {
    "User-Password",
    "ARAP-Security-Data",
    "MS-CHAP-Error",
    "MS-CHAP-Domain",
    "Framed-IPX-Network",
    "Vendor-Specific",
}
SAMPLES = {
    "string": "ab",
    "octets": "0x6162",
    "integer": "77777",
    "ipaddr": "192.0.2.1",
    "ipv6addr": "2001:db8::1",
    "ipv6prefix": "2001:db8::/64",
    "ifid": "1:2:3:4",
}
NETWORK_NUMBER = "0.1.47.209"  # 77777, in the notation of an address

Theirs = dict[str, tuple[int | None, int, str, str]]


@functools.cache
def freeradius() -> tuple[Theirs, dict[tuple[str, str], int]]:
    """Return FreeRADIUS's attributes (vendor, number, type, flags) and named values, by names in lower case."""
    assert FREERADIUS.is_dir(), "apt-get install freeradius-common"
    attributes: Theirs = {}
    values, vendors = {}, {"": None}
    for path in sorted(FREERADIUS.glob("dictionary*")):
        open_vendor = ""
        for line in path.read_text().splitlines():
            match line.partition("#")[0].split():
                case ["VENDOR", name, number, *_]:
                    vendors[name] = int(number)
                case ["BEGIN-VENDOR", name, *_]:
                    open_vendor = name
                case ["END-VENDOR", _]:
                    open_vendor = ""
                case ["ATTRIBUTE", name, number, kind, *flags] if number.isdecimal():
                    attributes[name.lower()] = vendors.get(open_vendor), int(number), kind.lower(), "".join(flags)
                case ["VALUE", name, value, number]:
                    values[name.lower(), value.lower()] = int(number, 0)
    return attributes, values


def attributes_of(file: str) -> list[Attribute]:
    return [each for each in OURS._attributes.values() if each.place.startswith(f"{FOLDER / file}:")]


def test_freeradius_is_here_to_be_asked() -> None:
    attributes, values = freeradius()
    assert attributes["filter-id"] == (None, 11, "string", "")
    assert attributes["cisco-avpair"] == (9, 1, "string", "")
    assert values["service-type", "framed-user"] == 2


@pytest.mark.parametrize("file", [file for file in FILES if file not in WITHOUT_ATTRIBUTES])
def test_every_attribute_is_what_freeradius_knows_by_its_name(file: str) -> None:
    ours = {each.name: (each.vendor, each.type, each.kind, each.tagged, each.salted) for each in attributes_of(file)}
    assert ours
    for name in ours.keys() - NOT_THEIRS:
        vendor, number, kind, flags = freeradius()[0][name.lower()]
        kind = ours[name][2] if name in TYPED_OTHERWISE else kind.partition("[")[0]
        assert ours[name] == (vendor, number, kind, "has_tag" in flags, "encrypt=2" in flags), name


@pytest.mark.parametrize("file", FILES)
def test_every_named_value_is_what_freeradius_knows(file: str) -> None:
    for each in attributes_of(file):
        for name in each.names:
            assert freeradius()[1][each.name.lower(), name.lower()] == each.numbers[name.lower()], (each.name, name)


def test_a_file_without_attributes_says_what_to_set_instead() -> None:
    assert [file for file in FILES if not attributes_of(file)] == WITHOUT_ATTRIBUTES
    for file in WITHOUT_ATTRIBUTES:
        assert all(line.startswith("#") for line in (FOLDER / file).read_text().splitlines())


@pytest.mark.parametrize("file", FILES)
def test_a_file_begins_with_what_it_is_and_its_source(file: str) -> None:
    text = (FOLDER / file).read_text()
    assert re.search(r"^# Source: \S", text, re.MULTILINE)
    for number in re.findall(r"^VENDOR\s+\S+\s+(\d+)$", text, re.MULTILINE):
        assert f"vendor {number})" in text.partition("\n\n")[0] or number == "311"


def test_no_name_and_no_number_is_defined_twice() -> None:
    lines = [line.split() for file in FILES for line in (FOLDER / file).read_text().splitlines()]
    names = Counter(words[1].lower() for words in lines if words[:1] == ["ATTRIBUTE"])
    assert [name for name, times in names.items() if times > 1] == []
    assert len(names) == len(OURS._attributes)
    numbers = Counter((each.vendor, each.type) for each in OURS._attributes.values())
    assert [number for number, times in numbers.items() if times > 1] == []
    values = Counter((words[1].lower(), words[2].lower()) for words in lines if words[:1] == ["VALUE"])
    assert [name for name, times in values.items() if times > 1] == []


def test_pyrad_reads_the_same_in_the_files() -> None:
    theirs = PyradDictionary(*(str(FOLDER / file) for file in FILES))
    assert theirs.skipped_attributes == set()
    assert {
        each.name: (each.vendor or 0, each.type, each.kind, each.tagged, each.salted)
        for each in OURS._attributes.values()
    } == {
        name: (theirs.vendors[each.vendor], each.code, each.type, each.has_tag, each.encrypt == 2)
        for name, each in theirs.attributes.items()
    }
    assert {
        (each.name, name): each.numbers[name.lower()].to_bytes(4)
        for each in OURS._attributes.values()
        for name in each.names
    } == {
        (attribute, name): octets
        for attribute, each in theirs.attributes.items()
        for name, octets in each.values.forward.items()
    }


def sample(attribute: Attribute) -> str:
    """Return a value for an attribute, octets in the length that FreeRADIUS knows of."""
    _, _, kind, _ = freeradius()[0][attribute.name.lower()]
    length = re.search(r"\d+", kind) if attribute.kind == "octets" else None
    return "0x" + "61" * int(length[0]) if length else SAMPLES[attribute.kind]


@pytest.mark.parametrize("file", [file for file in FILES if file not in {*WITHOUT_ATTRIBUTES, "rfc2866"}])
def test_radclient_reads_every_attribute_that_a_policy_can_set(file: str) -> None:
    """It knows several names for some numbers, so what it prints is looked up by number."""
    settable = [each for each in attributes_of(file) if not each.refusal and each.name not in NOT_THEIRS]
    set_to = {(each.vendor, each.type): sample(each) for each in settable}
    policy = tuple(each.encode(set_to[each.vendor, each.type]) for each in settable)
    printed, _ = radclient(accept(policy, None), "auth", LOGIN)
    received = printed[printed.index("Received Access-Accept") :]
    read = set()
    for name, value in re.findall(r"^\t([^\s:]+)(?::0)? = (.*)$", received, re.MULTILINE):
        vendor, number, kind, _ = freeradius()[0][name.lower()]
        if (vendor, number) in set_to:
            given = NETWORK_NUMBER if name == "Framed-IPX-Network" else set_to[vendor, number]
            assert value == ('"ab"' if kind == "string" else given), name
            read.add((vendor, number))
    assert read == set_to.keys()
