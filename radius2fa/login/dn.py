"""Owns how DNs are compared: every spelling that RFC 4514 has for one DN leads to the same text."""

import re
import unicodedata

_WHOLE = re.compile(r"(?:[^\\]|\\.)*", re.DOTALL)  # no half an escape at the end
_RDNS = re.compile(r"(?:\A|[,;])((?:[^\\,;]|\\.)*)", re.DOTALL)  # `;` is RFC 2253's, and still read
_PAIRS = re.compile(r"(?:\A|\+)((?:[^\\+]|\\.)*)", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_SPECIAL = re.compile(r'[\\,;+="<>#]')

# The attribute types that have a short name in RFC 4514 section 3, with their long names and object identifiers there.
_TYPES = (
    ("cn", "commonName", "2.5.4.3"),
    ("l", "localityName", "2.5.4.7"),
    ("st", "stateOrProvinceName", "2.5.4.8"),
    ("o", "organizationName", "2.5.4.10"),
    ("ou", "organizationalUnitName", "2.5.4.11"),
    ("c", "countryName", "2.5.4.6"),
    ("street", "streetAddress", "2.5.4.9"),
    ("dc", "domainComponent", "0.9.2342.19200300.100.1.25"),
    ("uid", "userId", "0.9.2342.19200300.100.1.1"),
)
_SHORT = {name.lower(): short for short, *names in _TYPES for name in names}


def normal_dn(dn: str) -> str:
    r"""Return a DN as rules compare it.

    Directories write the comma in a name as `\2C` (OpenLDAP) or as `\,` (Active Directory), an umlaut as itself or as
    `\C3\BC`. An attribute type is written by its short name, its long one or its object identifier. Values are compared
    as caseIgnoreMatch does (RFC 4518), of whichever attribute they are: without regard to case, to compatibility forms,
    and to the number of spaces. Text that is no DN is returned in one case.
    """
    try:
        if _WHOLE.fullmatch(dn):
            return ",".join(map(_normal_rdn, _RDNS.findall(dn)))
    except ValueError:
        pass
    return " ".join(dn.split()).casefold()


def _normal_rdn(rdn: str) -> str:
    return "+".join(sorted(map(_normal_pair, _PAIRS.findall(rdn))))


def _normal_pair(pair: str) -> str:
    """Return one `type=value` of an RDN. Raises ValueError where it is none."""
    attribute, equals, value = pair.partition("=")
    if not equals:
        raise ValueError("has no value")
    return f"{_normal_type(attribute)}={_normal_value(value.lstrip())}"


def _normal_type(attribute: str) -> str:
    name = attribute.strip().lower().removeprefix("oid.")  # in front of object identifiers in RFC 2253
    return _SHORT.get(name, name)


def _normal_value(value: str) -> str:
    if value.startswith("#"):  # octets in hexadecimal digits (RFC 4514 section 2.4)
        return value.lower()
    octets = _ESCAPE.sub(_unescaped, value.encode())
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", octets.decode()).casefold())
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))


def _unescaped(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode()) if len(escape[1]) == 2 else escape[1]  # noqa: PLR2004 - two digits
