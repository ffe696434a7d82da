"""A RADIUS client from scratch: makes requests and checks replies with nothing but hashlib and hmac.

It shares no line with the program, so that a mistake of one is not made by the other too.
"""

import hashlib
import hmac
import os
import struct
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

SECRET = b"a-shared-secret-of-32-octets-xyz"
VECTORS = Path(__file__).parents[1] / "vectors"

Attributes = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Asked:
    """A request as sent, and what its reply must be checked with."""

    octets: bytes
    secret: bytes = field(default=SECRET, repr=False)

    @property
    def identifier(self) -> int:
        return self.octets[1]

    @property
    def authenticator(self) -> bytes:
        return self.octets[4:20]

    @property
    def attributes(self) -> Attributes:
        return split(self.octets)


@dataclass(frozen=True)
class Answer:
    """A reply whose two signatures have been verified."""

    code: int
    attributes: Attributes

    def all(self, type_: int) -> list[bytes]:
        return [value for each, value in self.attributes if each == type_]

    def one(self, type_: int) -> bytes:
        (value,) = self.all(type_)
        return value


def attribute(type_: int, value: bytes) -> bytes:
    return struct.pack("BB", type_, 2 + len(value)) + value


def vendor_attribute(vendor: int, type_: int, value: bytes) -> tuple[int, bytes]:
    return 26, struct.pack("!LBB", vendor, type_, 2 + len(value)) + value


def split(packet: bytes) -> Attributes:
    """Part a packet's attributes; they must fill it exactly."""
    length = struct.unpack("!H", packet[2:4])[0]
    assert length == len(packet)
    found, rest = [], packet[20:]
    while rest:
        assert 2 <= rest[1] <= len(rest)
        found.append((rest[0], rest[2 : rest[1]]))
        rest = rest[rest[1] :]
    return tuple(found)


def hide(password: bytes, secret: bytes, authenticator: bytes) -> bytes:
    """RFC 2865 section 5.2, in the letters of the RFC: b1 = MD5(S + RA), c(1) = p1 xor b1, ..."""
    padded = password + b"\0" * (-len(password) % 16) if password else b"\0" * 16
    hidden = b""
    for i in range(0, len(padded), 16):
        b = hashlib.md5(secret + (hidden[-16:] if i else authenticator)).digest()  # noqa: S324 - RADIUS
        hidden += bytes(x ^ y for x, y in zip(padded[i : i + 16], b, strict=True))
    return hidden


def uncover_salted(value: bytes, secret: bytes, authenticator: bytes) -> bytes:
    """RFC 2868 section 3.5 backwards: the salt, then whole blocks whose first octet is the length."""
    salt, hidden = value[:2], value[2:]
    assert salt[0] & 0x80
    assert hidden
    assert len(hidden) % 16 == 0
    plain = b""
    for i in range(0, len(hidden), 16):
        b = hashlib.md5(secret + (hidden[i - 16 : i] if i else authenticator + salt)).digest()  # noqa: S324 - RADIUS
        plain += bytes(x ^ y for x, y in zip(hidden[i : i + 16], b, strict=True))
    length = plain[0]
    assert plain[1 + length :] == b"\0" * (len(plain) - 1 - length)
    return plain[1 : 1 + length]


def packet(code: int, identifier: int, authenticator: bytes, body: bytes) -> bytes:
    return struct.pack("!BBH", code, identifier, 20 + len(body)) + authenticator + body


def sign(octets: bytes, secret: bytes = SECRET) -> bytes:
    """Fill the (first) Message-Authenticator, wherever it stands (RFC 2869 section 5.14)."""
    at = 20
    while octets[at] != 80:
        at += octets[at + 1]
    blank = octets[: at + 2] + b"\0" * 16 + octets[at + 18 :]
    return octets[: at + 2] + hmac.new(secret, blank, hashlib.md5).digest() + octets[at + 18 :]


def request(
    code: int,
    attributes: Attributes,
    *,
    secret: bytes = SECRET,
    identifier: int = 7,
    authenticator: bytes | None = None,
    signed: bool = True,
) -> Asked:
    """Make a request of these attributes; signed, it gets a Message-Authenticator in front, if it has none."""
    authenticator = authenticator or os.urandom(16)
    if signed and 80 not in dict(attributes):
        attributes = ((80, bytes(16)), *attributes)
    body = b"".join(attribute(*each) for each in attributes)
    octets = packet(code, identifier, authenticator, body)
    return Asked(sign(octets, secret) if signed else octets, secret)


def access_request(
    name: bytes | None = b"alice",
    password: bytes | None = b"opensesame123456",
    *attributes: tuple[int, bytes],
    secret: bytes = SECRET,
    identifier: int = 7,
    authenticator: bytes | None = None,
    signed: bool = True,
) -> Asked:
    """Make an Access-Request with User-Name and User-Password (None leaves either out) and further attributes."""
    authenticator = authenticator or os.urandom(16)
    named = () if name is None else ((1, name),)
    hidden = () if password is None else ((2, hide(password, secret, authenticator)),)
    return request(
        1,
        (*named, *hidden, *attributes),
        secret=secret,
        identifier=identifier,
        authenticator=authenticator,
        signed=signed,
    )


def status_server(*attributes: tuple[int, bytes], secret: bytes = SECRET, identifier: int = 7) -> Asked:
    return request(12, attributes, secret=secret, identifier=identifier)


def accounting_request(
    *attributes: tuple[int, bytes], secret: bytes = SECRET, identifier: int = 7, signed: bool = False
) -> Asked:
    """Make an Accounting-Request: both signatures are made over sixteen zeros, the Request Authenticator last."""
    if signed and 80 not in dict(attributes):
        attributes = (*attributes, (80, bytes(16)))
    octets = packet(4, identifier, bytes(16), b"".join(attribute(*each) for each in attributes))
    return Asked(authenticated(sign(octets, secret) if signed else octets, secret), secret)


def authenticated(octets: bytes, secret: bytes = SECRET) -> bytes:
    """Fill in the Request Authenticator of an Accounting-Request (RFC 2866 section 3), in the letters of the RFC."""
    digest = hashlib.md5(octets[:4] + b"\0" * 16 + octets[20:] + secret).digest()  # noqa: S324 - RADIUS
    return octets[:4] + digest + octets[20:]


def check_acknowledgement(octets: bytes, asked: Asked) -> Attributes:
    """Verify an Accounting-Response, signed just where its request was, and return its attributes."""
    code, identifier, length = struct.unpack("!BBH", octets[:4])
    assert (code, identifier, length) == (5, asked.identifier, len(octets))
    as_hashed = octets[:4] + asked.authenticator + octets[20:]
    assert hashlib.md5(as_hashed + asked.secret).digest() == octets[4:20], "Response Authenticator"  # noqa: S324 - RADIUS
    attributes = split(octets)
    types = [type_ for type_, _ in attributes]
    assert types.count(80) == [type_ for type_, _ in asked.attributes].count(80)
    if 80 in types:
        blank = as_hashed if asked.octets[0] == 12 else octets[:4] + bytes(16) + octets[20:]
        assert sign(blank, asked.secret) == blank, "Message-Authenticator"
    assert [each for each in attributes if each[0] == 33] == [each for each in asked.attributes if each[0] == 33]
    return attributes


def check_reply(octets: bytes, asked: Asked) -> Answer:
    """Verify a reply as a careful client does, and return it."""
    code, identifier, length = struct.unpack("!BBH", octets[:4])
    assert len(octets) == length <= 4096
    assert identifier == asked.identifier
    as_hashed = octets[:4] + asked.authenticator + octets[20:]
    assert hashlib.md5(as_hashed + asked.secret).digest() == octets[4:20], "Response Authenticator"  # noqa: S324 - RADIUS
    attributes = split(octets)
    assert [type_ for type_, _ in attributes].count(80) == 1
    assert attributes[0][0] == 80, "Message-Authenticator comes first"
    assert sign(as_hashed, asked.secret) == as_hashed, "Message-Authenticator"
    assert [each for each in attributes if each[0] == 33] == [each for each in asked.attributes if each[0] == 33]
    return Answer(code, attributes)


def vectors(rfc: str) -> dict[str, dict[str, str]]:
    """Return the examples of an RFC as they stand in tests/vectors, with the secret in each of them."""
    read = tomllib.loads((VECTORS / f"{rfc}.toml").read_text())
    secret = read.pop("secret")
    return {name: {"secret": secret, **example} for name, example in read.items()}
