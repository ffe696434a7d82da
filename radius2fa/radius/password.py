"""Owns the two ways in which RADIUS hides a value under the shared secret: User-Password, and salted attributes."""

from hashlib import md5

_BLOCK = 16  # octets: the size of an MD5 digest


def reveal(hidden: bytes, secret: bytes, authenticator: bytes) -> bytes:
    """Return the password in a User-Password (RFC 2865 section 5.2), less the NULs that fill its last block.

    `hidden` is whole blocks of 16 octets. Under a wrong secret the result is noise, never an error.
    """
    stream = bytearray()
    chain = authenticator
    for start in range(0, len(hidden), _BLOCK):
        stream += md5(secret + chain, usedforsecurity=False).digest()
        chain = hidden[start : start + _BLOCK]
    return _xor(hidden, stream).rstrip(b"\0")


def salted(value: bytes, secret: bytes, authenticator: bytes, salt: bytes) -> bytes:
    """Return the salt and `value` encrypted under it (RFC 2868 section 3.5, RFC 2548 section 2.4.2).

    `authenticator` is the request's. `salt` is two octets, the first bit set, unique within the packet.
    """
    plain = bytes((len(value),)) + value
    plain += bytes(-len(plain) % _BLOCK)
    hidden = bytearray(salt)
    chain = authenticator + salt
    for start in range(0, len(plain), _BLOCK):
        chain = _xor(plain[start : start + _BLOCK], md5(secret + chain, usedforsecurity=False).digest())
        hidden += chain
    return bytes(hidden)


def _xor(one: bytes, other: bytes | bytearray) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))
