"""Owns the list of what a policy must not or cannot set, and why."""

from collections.abc import Mapping
from typing import Final

from radius2fa.radius.attributes import MICROSOFT
from radius2fa.radius.definition import Attribute

# What FreeRADIUS 3 knows and no reply of ours can hold. It is refused when it is asked for, not when a file defines it:
# files of vendors hold some.
TYPES_NOT_SENT: Final = frozenset({"tlv", "vsa", "extended", "long-extended", "evs", "ipv4prefix", "combo-ip", "bool"})
_OCTET_MOST: Final = 0xFF

# What a policy must not set. Most of it stands only in requests and in accounting, by the tables of RFC 2865 section
# 5.44, RFC 2866 section 5.13, RFC 2869 section 5.19 and RFC 3162 section 3; State, Proxy-State, Prompt, EAP-Message and
# Message-Authenticator are the protocol's own; a raw Vendor-Specific is written by the vendor attribute's name. Most of
# the other RFCs are no shipped dictionaries, but a site may read them.
_NOT_TO_BE_SET: Final = frozenset(
    {
        0,  # reserved by the IANA registry "RADIUS Types"
        *(2, 3, 4, 5, 24, 26, 30, 31, 32, 33, 60, 61),  # RFC 2865
        *range(40, 52),  # RFC 2866
        *(52, 53, 55, 70, 73, 74, 75, 76, 77, 79, 80, 87),  # RFC 2869
        *(68, 86),  # RFC 2867: accounting of tunnels
        94,  # RFC 7155: Originating-Line-Info, from the NAS
        95,  # RFC 3162
        101,  # RFC 5176: Error-Cause, of another exchange
        102,  # RFC 4072: EAP-Key-Name, of EAP
        *range(103, 123),  # RFC 5090: HTTP digest
        *(126, 127, 128, 131),  # RFC 5580: whose the NAS is, and where
        *range(241, 247),  # RFC 6929: frames of further attributes
    }
)
# Of vendors: Cisco-NAS-Port; by the table of RFC 2548 section 3 the answers and password changes of MS-CHAP and ARAP,
# and accounting; what an ASA tells about its session (tunnel group, client, type of session).
_NOT_TO_BE_SET_OF: Final[Mapping[int, frozenset[int]]] = {
    9: frozenset({2}),
    MICROSOFT: frozenset({1, 2, 3, 4, 5, 6, 9, 11, 12, 18, 19, 20, 21, 23, 24, 25, 26, 27, 34, 35}),
    3076: frozenset({146, 150, 151, 152}),
}


def refusal(attribute: Attribute, flags: str, *, nested: bool, plain: bool) -> str:
    """Return why a policy cannot set an attribute: a clause to stand behind its name; nothing if it can."""
    vendor, number, kind = attribute.vendor, attribute.type, attribute.kind
    not_to_be_set = _NOT_TO_BE_SET if vendor is None else _NOT_TO_BE_SET_OF.get(vendor, frozenset())
    if number in not_to_be_set and not nested:
        return "is not for a policy to set: it has no place in a reply, or is ours"
    reasons = {
        "it lies in another attribute (a TLV)": nested,
        "the format of its vendor's attributes is not that of RFC 2865": not plain,
        f"its type is {kind}": kind in TYPES_NOT_SENT,
        f"its number {number} does not fit into an octet": not 0 <= number <= _OCTET_MOST,
        f"its flags are {flags}": any(flag in flags for flag in ("encrypt=1", "encrypt=3", "array")),
        f"a tag does not go with the type {kind}": attribute.tagged and kind not in {"string", "integer"},
    }
    return next((f"cannot be sent: {reason}" for reason, holds in reasons.items() if holds), "")
