"""Owns the place of a typed name in a search filter.

The configured filter is parsed once, and a name is put into the parsed filter as octets: it never becomes part of
filter text (RFC 4515), so that no character in it can be read as a parenthesis, an asterisk or an escape.
"""

import re
from dataclasses import dataclass

from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import compile_filter, parse_filter
from ldap3.utils.asn1 import encode

from radius2fa.directory.ber import elements, tlv

_PLACEHOLDER = re.compile(rb"\{(name|user)\}")
_BEFORE_THE_VALUE = re.compile(r"\([^=()]*\{(?:name|user)\}")
_CONSTRUCTED = 0x20  # X.690 section 8.1.2.5


@dataclass(frozen=True, slots=True)
class _Branch:
    tag: int
    parts: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Leaf:
    tag: int
    text: bytes


_Node = _Branch | _Leaf | bytes


class UserFilter:
    """A search filter with places for the name: `{name}`, as typed, and `{user}`, without a realm or domain of ours."""

    def __init__(self, text: str) -> None:
        """Parse the filter.

        Raises:
            ValueError: when it is no filter, or has no placeholder, or one that does not stand in a value.

        """
        if _BEFORE_THE_VALUE.search(text):
            raise ValueError(f"user_filter: {text}: a placeholder stands where only a value may")
        self._root = _plan(_compile(text))
        if isinstance(self._root, bytes):
            raise ValueError(f"user_filter: {text}: neither {{user}} nor {{name}} is in it")  # noqa: TRY004 - not a type

    def encode(self, name: str, user: str) -> bytes:
        """Return the filter in BER, for this name."""
        return _fill(self._root, {b"name": name.encode(), b"user": user.encode()})


def presence(attribute: str) -> bytes:
    """Return the filter in BER that every entry with this attribute passes."""
    return tlv(0x87, attribute.encode())


def _compile(text: str) -> bytes:
    try:
        tree = parse_filter(text, schema=None, auto_escape=True, auto_encode=False, validator=None, check_names=False)
        return bytes(encode(compile_filter(tree.elements[0])))
    except LDAPException as fault:
        raise ValueError(f"user_filter: {text}: {fault}") from fault


def _plan(octets: bytes) -> _Node:
    """Return one element of the filter, taken apart as far as there are placeholders in it."""
    if not _PLACEHOLDER.search(octets):
        return octets
    ((tag, value),) = elements(octets)
    if tag & _CONSTRUCTED:
        return _Branch(tag, tuple(_plan(tlv(*each)) for each in elements(value)))
    return _Leaf(tag, value)


def _fill(node: _Node, values: dict[bytes, bytes]) -> bytes:
    if isinstance(node, bytes):
        return node
    if isinstance(node, _Leaf):
        return tlv(node.tag, _PLACEHOLDER.sub(lambda place: values[place[1]], node.text))
    return tlv(node.tag, *(_fill(part, values) for part in node.parts))
