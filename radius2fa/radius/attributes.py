"""Owns the attributes: the numbers that the program itself speaks of, and the value that goes into a reply."""

from dataclasses import dataclass, field
from struct import Struct
from typing import Final

# RFC 2865 section 5
USER_NAME: Final = 1
USER_PASSWORD: Final = 2
CHAP_PASSWORD: Final = 3
FRAMED_IP_ADDRESS: Final = 8
REPLY_MESSAGE: Final = 18
STATE: Final = 24
CLASS: Final = 25
VENDOR_SPECIFIC: Final = 26
SESSION_TIMEOUT: Final = 27
CALLING_STATION_ID: Final = 31
PROXY_STATE: Final = 33
# RFC 2866 section 5
ACCT_STATUS_TYPE: Final = 40
ACCT_DELAY_TIME: Final = 41
ACCT_INPUT_OCTETS: Final = 42
ACCT_OUTPUT_OCTETS: Final = 43
ACCT_SESSION_ID: Final = 44
ACCT_SESSION_TIME: Final = 46
ACCT_TERMINATE_CAUSE: Final = 49
# RFC 2869 section 5
ACCT_INPUT_GIGAWORDS: Final = 52
ACCT_OUTPUT_GIGAWORDS: Final = 53
PROMPT: Final = 76
EAP_MESSAGE: Final = 79
MESSAGE_AUTHENTICATOR: Final = 80

MICROSOFT: Final = 311  # RFC 2548
# MS-CHAP-Response, MS-CHAP-CPW-1, MS-CHAP-CPW-2, MS-CHAP2-Response, MS-CHAP2-CPW (RFC 2548 sections 2.1 and 2.3)
MS_CHAP_CREDENTIALS: Final = frozenset({1, 3, 4, 25, 27})

ATTRIBUTE_MOST: Final = 255  # RFC 2865 section 5: Length is one octet and counts itself and the Type
TAG_MOST: Final = 0x1F  # RFC 2868 section 3.1

_vendor_header = Struct("!IBB").pack  # RFC 2865 section 5.26: Vendor-Id, vendor type, vendor length


@dataclass(frozen=True, slots=True)
class ReplyAttribute:
    """One attribute of a reply. `name` is for messages, `value` the octets without tag, salt and encryption.

    `vendor` is the SMI number of a vendor attribute, whose number is `type`. `tag` (RFC 2868) stands before the value.
    `salted` values are encrypted for the client when the reply is encoded (RFC 2868 section 3.5).
    """

    name: str
    type: int
    value: bytes = field(repr=False)
    vendor: int | None = None
    tag: int | None = None
    salted: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot go on the wire.

        Raises:
            ValueError: the value is empty, or too long for an attribute.

        """
        if not self.value:
            raise ValueError(f"{self.name}: an attribute's value cannot be empty")  # RFC 2865 section 5
        if self.size > ATTRIBUTE_MOST:
            raise ValueError(f"{self.name}: the value is {self.size - ATTRIBUTE_MOST} octets too long for an attribute")

    @property
    def size(self) -> int:
        """The octets that it takes in a packet, headers included."""
        # The salt takes two octets; the length octet and the value fill whole blocks of 16 (RFC 2868 section 3.5).
        value = 2 + -(-(1 + len(self.value)) // 16) * 16 if self.salted else len(self.value)
        return 2 + (0 if self.vendor is None else 6) + (0 if self.tag is None else 1) + value

    def octets(self, value: bytes) -> bytes:
        """Return the attribute as it goes on the wire around `value`: its own, or the salted form of it."""
        if self.tag is not None:
            value = bytes((self.tag,)) + value
        if self.vendor is None:
            return bytes((self.type, len(value) + 2)) + value
        return bytes((VENDOR_SPECIFIC, len(value) + 8)) + _vendor_header(self.vendor, self.type, len(value) + 2) + value


def shown(attribute: ReplyAttribute) -> str:
    """Return an attribute as people write it: name, tag and value; a number where four octets are no text.

    The value of an attribute that is encrypted on the wire is a secret, and left out.
    """
    name = attribute.name if attribute.tag is None else f"{attribute.name}:{attribute.tag}"
    if attribute.salted:
        return f"{name} = (a secret)"
    text = attribute.value.decode("ascii", "replace")
    if text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text:
        return f"{name} = {text}"
    if len(attribute.value) <= _NUMBER_OCTETS:
        return f"{name} = {int.from_bytes(attribute.value)}"
    return f"{name} = 0x{attribute.value.hex()}"


_NUMBER_OCTETS: Final = 4
