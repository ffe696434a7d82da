"""Owns the rules that a single value must keep, beyond its type: addresses, URLs, filters, names, dates, texts."""

import re
import socket
from datetime import date, datetime, time, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from string import printable
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic_core import PydanticCustomError

RADIUS_PORT = 1812  # RFC 2865 section 3
ACCOUNTING_PORT = 1813  # RFC 2866 section 3
METRICS_PORT = 9812  # beside those of Prometheus's exporters, and used by none of them

_V4_MAPPED = IPv6Network("::ffff:0:0/96")
_LISTEN = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<four>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")
_PLACEHOLDER = re.compile(r"\{[^}]*\}")
# RFC 4514 section 3, with the spaces around names and values that people write.
_TYPE = r" *(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*) *"
_VALUE = r"(?:[^\\,+\"<>;\0]|\\[ \"#+,;<=>\\]|\\[0-9A-Fa-f]{2})+"
_DN = re.compile(rf"{_TYPE}={_VALUE}(?:[,+]{_TYPE}={_VALUE})*")
_LDAP_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?:;[A-Za-z0-9-]+)*")  # RFC 4512 section 2.5, without OIDs
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")  # RFC 5646 section 2.1, as far as it matters here

_LDAP_URLS = (
    'Write "ldap://host" or "ldaps://host", with a port if needed; "ldapi:///" for a socket of this machine; '
    '"ldap+srv://domain" or "ldaps+srv://domain" for the servers that DNS tells.'
)
_LABEL = re.compile(r"_?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123 section 2.1; the underscore is RFC 2782's
_LONGEST_DOMAIN = 253  # octets as text, RFC 1035 section 2.3.4
_LONGEST_SOCKET = 107  # octets; Linux has room for 108 with the NUL behind them, unix(7)


def refused(message: str, remedy: str) -> PydanticCustomError:
    """Return what a rule raises: what is wrong, and what to do about it."""
    return PydanticCustomError("rule", "{message}", {"message": message, "remedy": remedy})


def file_or_none(value: object) -> object:
    """Turn "", which stands for no file, into None."""
    return None if value == "" else value


def host_name() -> str:
    """Return the name of this machine, as a node may be called."""
    return re.sub(r"[^A-Za-z0-9_.-]|^[^A-Za-z0-9]+", "", socket.gethostname())[:64] or "localhost"


def listen(value: object) -> object:
    """Turn "192.0.2.1:1812" or "[::]:1812" (1812 may be left out) into host and port."""
    return listen_on(value, RADIUS_PORT)


def listen_for_accounting(value: object) -> object:
    """Turn the same into host and port, which is 1813 where it is left out."""
    return listen_on(value, ACCOUNTING_PORT)


def listen_for_metrics(value: object) -> object:
    """Turn "127.0.0.1:9812" (9812 may be left out) into host and port, and "" into None."""
    return None if value == "" else listen_on(value, METRICS_PORT)


def listen_on(value: object, port: int) -> object:
    """Turn an address to listen on into host and port, which is this one where none is given."""
    if not isinstance(value, str):
        return value
    match = _LISTEN.fullmatch(value.strip())
    host = address(match["six"] or match["four"]) if match else None
    if match is None or host is None or isinstance(host, IPv6Address) != bool(match["six"]):
        remedy = f'Write "192.0.2.1:{port}", "0.0.0.0:{port}" or "[::]:{port}".'
        raise refused(f"{value!r} is no address to listen on", remedy)
    return {"host": str(host), "port": int(match["port"] or port)}


def listen_text(host: str, port: int) -> str:
    """Return host and port as they are written in the file."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, None for a text that is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def network(value: object) -> object:
    """Turn an address or a network in CIDR notation into a network; a single address is a network of one."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    text = str(value)
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        raise refused(
            f"{text!r} is neither an address nor a network",
            'Write "192.0.2.1", "192.0.2.0/24" or "2001:db8::/64"; host names are not taken.',
        ) from None
    address = text.partition("/")[0]
    if found.network_address != ip_address(address):
        raise refused(
            f"{text!r} is a network with a host's address",
            f'Write "{found}" for the network, or "{address}" for the one address.',
        )
    if isinstance(found, IPv6Network) and found.subnet_of(_V4_MAPPED):
        raise refused(f"{text!r} is an IPv4 address in IPv6 clothes", 'Write it as IPv4: "192.0.2.1".')
    return found


def directory_url(value: str) -> str:
    """Return the URL of an LDAP server, of its socket on this machine, or of a service whose servers DNS tells."""
    value = value.strip()
    url = split(value)
    if not value.isprintable() or " " in value:  # urlsplit drops some of these, and what is shown is another URL then
        raise refused("holds a space, or a character that prints nothing", _LDAP_URLS)
    if url is None or url.scheme not in {"ldap", "ldaps", "ldapi", "ldap+srv", "ldaps+srv"}:
        raise refused("is not the URL of an LDAP server", _LDAP_URLS)
    if url.scheme == "ldapi":
        return _socket_url(value, url)
    if not url.hostname or url.port == 0 or re.search(r"\][^:]", url.netloc):  # of "[::1]x" urlsplit forgets the x
        raise refused("is not the URL of an LDAP server", _LDAP_URLS)
    if "%" in url.hostname:  # also the zone of an address like fe80::1%eth0, with which ldap3 refuses to connect
        raise refused("has a % in its host", "Write a host name, or an address that is not bound to an interface.")
    if url.username is not None or url.path not in {"", "/"} or url.query or url.fragment:
        raise refused(
            "holds more than scheme, host and port", "Use the keys bind_dn, bind_password and base for the rest."
        )
    if url.scheme.endswith("+srv"):
        _service_url(url, url.hostname)
    return value.rstrip("/")


def _socket_url(value: str, url: SplitResult) -> str:
    path = unquote(url.netloc)
    if url.path not in {"", "/"} or url.query or url.fragment:
        raise refused("has slashes in the path of its socket", 'Write them as %2F: "ldapi://%2Frun%2Fslapd%2Fldapi".')
    if path and (not path.startswith("/") or "\0" in path or len(path.encode()) > _LONGEST_SOCKET):
        raise refused(
            f"holds no absolute path of at most {_LONGEST_SOCKET} octets",
            'Write "ldapi:///" or "ldapi://%2Frun%2Fslapd%2Fldapi".',
        )
    return value


def _service_url(url: SplitResult, name: str) -> None:
    labels = name.split(".")
    if url.port is not None:
        raise refused("has a port, but that is what DNS tells", 'Take it out, or write "ldap://host:port".')
    if len(name) > _LONGEST_DOMAIN or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdecimal():
        raise refused("has no domain that DNS could be asked for", 'Write it like "ldap+srv://ad.example.org".')
    if labels[-1].startswith("_"):
        raise refused(
            "has no domain behind the labels that begin with an underscore",
            'Write it like "ldap+srv://_ldap._tcp.berlin._sites.ad.example.org".',
        )
    if labels[0] == "_ldaps" and url.scheme == "ldap+srv":
        raise refused("asks for servers that begin with TLS", f'Write "ldaps+srv://{name}".')


def store_url(value: str) -> str:
    """Return a database URL of SQLAlchemy, with psycopg as the driver of PostgreSQL."""
    url = split(value)
    if url is None or url.scheme not in {"sqlite", "postgresql", "postgresql+psycopg"}:
        raise refused(
            "is not the URL of a database that radius2fa knows",
            'Write "sqlite:////var/lib/radius2fa/radius2fa.db" or "postgresql://role@host/database".',
        )
    if url.password is not None or "password=" in url.query:
        raise refused("holds a password", "Take it out and use the key password, password_file or password_credential.")
    return value.replace("postgresql://", "postgresql+psycopg://", 1)


def split(url: str) -> SplitResult | None:
    """Return the parts of a URL, None for a text that has none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read late, and refuses a number above 65535 only then
    except ValueError:
        return None
    return parts


def user_filter(value: str) -> str:
    """Return an LDAP filter (RFC 4515) with a place for the name that the user typed."""
    if "{user}" not in value and "{name}" not in value:
        raise refused(
            "has no place for the user's name",
            "Put {user} (the name without realm or domain) or {name} (as typed) where it belongs.",
        )
    return _filter(value, ("{user}", "{name}"), "(&(objectClass=person)(uid={user}))")


def group_filter(value: str) -> str:
    """Return an LDAP filter (RFC 4515) with a place for whoever belongs to a group."""
    if "{dn}" not in value and "{user}" not in value:
        raise refused(
            "has no place for whoever belongs to the group",
            "Put {dn} (their DN) or {user} (their name in the directory) where it belongs.",
        )
    return _filter(value, ("{dn}", "{user}"), "(|(member={dn})(uniqueMember={dn}))")


def _filter(value: str, places: tuple[str, str], example: str) -> str:
    _only(places, value)
    if not _balanced(value):
        raise refused("has unbalanced parentheses", f'Write it like "{example}".')
    return value


def _only(places: tuple[str, ...], value: str) -> None:
    """Refuse a text with other places for something to be put in than these."""
    if unknown := set(_PLACEHOLDER.findall(value)) - set(places):
        raise refused(f"holds {min(unknown)}, which stands for nothing", f"What is put in: {' and '.join(places)}.")


def _balanced(text: str) -> bool:
    """Tell whether the text is one expression in parentheses."""
    depth = 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0 or (depth == 0 and position < len(text) - 1):
            return False
    return depth == 0 and text != ""


def charset(value: str) -> str:
    """Return the name of a text encoding that leaves ASCII as it is, so that the digits of a code stay digits."""
    ascii_text = printable[:95]
    try:
        plain = ascii_text.encode(value) == ascii_text.encode()
    except (LookupError, UnicodeError):
        plain = False
    if not plain:
        raise refused(
            f"{value!r} is no charset for passwords", 'Use "utf-8", or what the client sends: "latin-1", "cp1252".'
        )
    return value


def delimiter(value: str) -> str:
    """Return what parts password and code: at least one character, no digit (codes are digits)."""
    if not value or any(character.isdigit() for character in value):
        raise refused("must be at least one character, and none of them a digit", 'Use a comma: delimiter = ",".')
    return value


def dn(value: str) -> str:
    """Return the distinguished name of a group (RFC 4514)."""
    if not _DN.fullmatch(value):
        raise refused(f"{value!r} is no DN", 'Write it like "cn=vpn,ou=groups,dc=example,dc=org".')
    return value


def ldap_attribute(value: str) -> str:
    """Return the name of an attribute in the directory."""
    if not _LDAP_ATTRIBUTE.fullmatch(value):
        raise refused(f"{value!r} is no name of an LDAP attribute", 'Write it like "departmentNumber".')
    return value


def moment(value: object) -> object:
    """Turn a date or a date with a time, as TOML has them, into the first moment after it, with its time zone.

    A date counts to its end. Where no zone is given, it is that of the server.
    """
    if not isinstance(value, date):
        raise refused("is no date", "Write it without quotes: 2026-12-31, or 2026-12-31T18:00:00+01:00.")
    try:
        end = value if isinstance(value, datetime) else datetime.combine(value + timedelta(days=1), time())
        return end.astimezone()
    except (OverflowError, ValueError, OSError):
        raise refused("is a date that no clock reaches", "Write one of this century.") from None


def language(value: str) -> str:
    """Return the tag of a language."""
    if not _LANGUAGE.fullmatch(value):
        raise refused(f"{value!r} is no tag of a language", 'Write it like "en", "de" or "pt-BR".')
    return value


def reply_text(value: str) -> str:
    """Return a text that a client shows to its users, perhaps with a place for the portal's address."""
    _only(("{portal}",), value)
    return value
