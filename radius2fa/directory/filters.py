"""Owns the place of a typed name in a search filter, and its escapes (RFC 4515)."""

import re

from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import compile_filter, filter_to_string, parse_filter
from pyasn1.error import PyAsn1Error

_PLACEHOLDER = re.compile(r"\{(name|user)\}")
_BEFORE_THE_VALUE = re.compile(r"\([^=()]*\{(?:name|user)\}")
_NO_ESCAPE = re.compile(r"\\(?![0-9A-Fa-f]{2})")
_NEEDS_ESCAPE = re.compile(rb"[^A-Za-z0-9]")


class UserFilter:
    """A search filter with places for the name: `{name}`, as typed, and `{user}`, without a realm or domain of ours."""

    def __init__(self, text: str) -> None:
        """Check the filter.

        Raises:
            ValueError: when it is no filter, or has no placeholder, or one that does not stand in a value.

        """
        if _BEFORE_THE_VALUE.search(text):
            raise ValueError(f"user_filter: {text}: a placeholder stands where only a value may")
        if _NO_ESCAPE.search(text):
            # It would make an escape of the first two characters of a name that is put behind it.
            raise ValueError(rf"user_filter: {text}: a backslash begins no escape; the character itself is \5c")
        self._text = text
        try:
            tree = parse_filter(self.fill("a", "a"), None, False, False, None, False)  # noqa: FBT003 - as search_operation_of
            filter_to_string(compile_filter(tree.elements[0]))  # ldap3 does so with every search, for its log
        except LDAPException as fault:
            raise ValueError(f"user_filter: {text}: {fault}") from fault
        except PyAsn1Error as fault:
            raise ValueError(f"user_filter: {text}: holds escaped octets that are no UTF-8") from fault
        if not _PLACEHOLDER.search(text):
            raise ValueError(f"user_filter: {text}: neither {{user}} nor {{name}} is in it")

    def fill(self, name: str, user: str) -> str:
        """Return the filter for this name, no character of which can be read as anything but itself."""
        values = {"name": escaped(name), "user": escaped(user)}
        return _PLACEHOLDER.sub(lambda place: values[place[1]], self._text)


def escaped(value: str) -> str:
    r"""Return a value as a filter's text: each octet but ASCII letters and digits as `\xx` (RFC 4515 section 3).

    More than the RFC asks for, so that nothing depends on what else a reader of filters takes for special, such as
    the blanks around a value, which ldap3 drops.
    """
    return _NEEDS_ESCAPE.sub(lambda octet: b"\\%02x" % octet[0][0], value.encode()).decode()


def presence(attribute: str) -> str:
    """Return the filter that every entry with this attribute passes."""
    return f"({attribute}=*)"
