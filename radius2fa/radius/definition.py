"""Owns one attribute as a dictionary defines it, and the encoding of its values."""

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pyrad import tools

from radius2fa.radius.attributes import TAG_MOST, ReplyAttribute

NUMBERS: Final = frozenset({"integer", "integer64", "short", "byte", "signed", "date"})  # the types that are numbers
DECIMAL: Final = re.compile(r"-?[0-9]{1,20}")
_TAGGED_NUMBER_MOST: Final = 0xFFFFFF  # RFC 2868 section 3.1: the tag takes the first octet of an integer
_HEX: Final = "0x"


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute by its definition, to be encoded again and again.

    `kind` is the dictionary's type, `numbers` an enumeration by names in lower case, `names` those names as they were
    written. `tag` is what stood behind the name. `place` is the file and the line that define it. `refusal` says why a
    policy cannot set it, if so.
    """

    name: str
    type: int
    vendor: int | None
    kind: str
    tagged: bool
    salted: bool
    place: str
    refusal: str = ""
    names: tuple[str, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    tag: int | None = None

    def encode(self, value: str | int) -> ReplyAttribute:
        """Return a reply attribute of this value.

        A number may be given by its name in the dictionary or in digits, octets in hexadecimal behind `0x`.

        Raises:
            ValueError: the value does not fit; the text names the attribute, its type and, if no secret, the value.

        """
        octets, tag = self._octets(value), self.tag
        if self.tagged:
            number = self.kind in NUMBERS
            # RFC 2868 section 3: the tag of a number and of Tunnel-Password is not optional, and a text that begins
            # with an octet up to 0x1F would be read as one with a tag.
            if tag is None and (self.salted or number or octets[:1] <= bytes((TAG_MOST,))):
                tag = 0
            octets = octets[1:] if number else octets
        return ReplyAttribute(self.name, self.type, octets, self.vendor, tag, self.salted)

    def _octets(self, value: str | int) -> bytes:
        try:
            if self.kind in NUMBERS:
                return bytes(tools.EncodeAttr(self.kind, self._number(value)))
            return _text(self.kind, value)
        except (ValueError, TypeError):
            shown = "the value" if self.salted else reprlib.repr(value)
            named = f"; it may be one of {', '.join(self.names)}" if self.names else ""
            raise ValueError(f"{self.name}: {shown} does not fit the type {self.kind}{named}") from None

    def _number(self, value: str | int) -> int:
        number = None if isinstance(value, str | bool) else value
        if isinstance(value, str):
            number = self.numbers.get(value.lower())
            if number is None and DECIMAL.fullmatch(value):
                number = int(value)
        if number is None or (self.tagged and number > _TAGGED_NUMBER_MOST):
            raise ValueError
        return number


def _text(kind: str, value: str | int) -> bytes:
    """Return a text, or what a text stands for.

    pyrad would make numbers of octets that look like digits, so those are encoded here.
    """
    if kind == "string" and not isinstance(value, bool):
        return str(value).encode()  # a VLAN is a number to those who write it
    if not isinstance(value, str):
        raise TypeError
    if kind == "octets" and value.startswith(_HEX):
        return bytes.fromhex(value.removeprefix(_HEX))
    if kind == "octets":
        return value.encode()
    return bytes(tools.EncodeAttr(kind, value))
