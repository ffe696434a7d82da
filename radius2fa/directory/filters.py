"""Owns the places for values in search filters, and the escapes of those values (RFC 4515)."""

import re
from collections.abc import Iterable

from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import compile_filter, filter_to_string, parse_filter
from pyasn1.error import PyAsn1Error

_PLACEHOLDER = re.compile(r"\{(name|user|dn)\}")
_BEFORE_THE_VALUE = re.compile(r"\([^=()]*\{(?:name|user|dn)\}")
_NO_ESCAPE = re.compile(r"\\(?![0-9A-Fa-f]{2})")
_NEEDS_ESCAPE = re.compile(rb"[^A-Za-z0-9]")
# An assertion about a value that is not the plain `(attribute=value)`: ~=, >=, <=, or := with a matching rule.
_OTHER_MATCH = re.compile(r"\([^=()]*[~<>:]=[^()]*\{(?:name|user)\}")
_OPEN_OR_CLOSE = re.compile(r"\(\s*!?|\)|\{(?:name|user)\}")


class UserFilter:
    """A search filter with places for the name: `{name}`, as typed, and `{user}`, without a realm or domain of ours."""

    def __init__(self, text: str) -> None:
        """Check the filter.

        Raises:
            ValueError: when it is no filter, or has no placeholder, or one that does not stand in a value.

        """
        _check("user_filter", text, ("user", "name"))
        self._text = text

    def fill(self, name: str, user: str) -> str:
        """Return the filter for this name, no character of which can be read as anything but itself."""
        return _filled(self._text, {"name": escaped(name), "user": escaped(user)})

    def anybody(self) -> str:
        """Return the filter that everybody passes who passes this one under some name.

        Raises:
            ValueError: when a name stands in a negation or in a comparison other than `=`, for which there is none.

        """
        if _OTHER_MATCH.search(self._text) or _in_negation(self._text):
            raise ValueError(f"user_filter: {self._text}: people can be listed by (attribute={{user}}) only")
        return re.sub(r"\*+", "*", _filled(self._text, {"name": "*", "user": "*"}))


class GroupFilter:
    """A search filter for groups: `{dn}` is who belongs to them, a person or a group; `{user}` the person's name.

    `takes_user` tells whether a name is asked for, `takes_dn` whether a DN is, without which no group is in another.
    """

    def __init__(self, text: str) -> None:
        """Check the filter. Raises ValueError as UserFilter does."""
        _check("group_filter", text, ("dn", "user"))
        self._text = text
        self.takes_dn = "{dn}" in text
        self.takes_user = "{user}" in text

    def fill(self, dns: Iterable[str], user: str) -> str:
        """Return the filter for the groups to which any of these belongs."""
        name = escaped(user)
        filters = [_filled(self._text, {"dn": escaped(dn), "user": name}) for dn in dns]
        return filters[0] if len(filters) == 1 else f"(|{''.join(filters)})"


def escaped(value: str) -> str:
    r"""Return a value as a filter's text: each octet but ASCII letters and digits as `\xx` (RFC 4515 section 3).

    More than the RFC asks for, so that nothing depends on what else a reader of filters takes for special, such as
    the blanks around a value, which ldap3 drops.
    """
    return _NEEDS_ESCAPE.sub(lambda octet: b"\\%02x" % octet[0][0], value.encode()).decode()


def presence(attribute: str) -> str:
    """Return the filter that every entry with this attribute passes."""
    return f"({attribute}=*)"


def _filled(text: str, values: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda place: values.get(place[1], place[0]), text)


def _check(key: str, text: str, places: tuple[str, str]) -> None:
    """Raise ValueError unless the text is a filter with one of the places at least, and that in a value."""
    if _BEFORE_THE_VALUE.search(text):
        raise ValueError(f"{key}: {text}: a placeholder stands where only a value may")
    if _NO_ESCAPE.search(text):
        # It would make an escape of the first two characters of a value that is put behind it.
        raise ValueError(rf"{key}: {text}: a backslash begins no escape; the character itself is \5c")
    try:
        tree = parse_filter(_filled(text, dict.fromkeys(places, "a")), None, False, False, None, False)  # noqa: FBT003 - as search_operation_of
        filter_to_string(compile_filter(tree.elements[0]))  # ldap3 does so with every search, for its log
    except LDAPException as fault:
        raise ValueError(f"{key}: {text}: {fault}") from fault
    except PyAsn1Error as fault:
        raise ValueError(f"{key}: {text}: holds escaped octets that are no UTF-8") from fault
    if not any(f"{{{place}}}" in text for place in places):
        raise ValueError(f"{key}: {text}: neither {{{places[0]}}} nor {{{places[1]}}} is in it")


def _in_negation(text: str) -> bool:
    """Tell whether a placeholder stands within `(!...)`, at whatever depth."""
    opened: list[bool] = []
    for found in _OPEN_OR_CLOSE.finditer(text):
        if found[0].startswith("("):
            opened.append(found[0].endswith("!"))
        elif found[0] == ")":
            opened.pop()
        elif any(opened):
            return True
    return False
