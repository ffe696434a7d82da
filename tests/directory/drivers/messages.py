"""Messages of LDAP that pyasn1 would not make: with lengths in the long form, and with anything in their controls."""

from collections.abc import Callable

_POLICY = b"1.3.6.1.4.1.42.2.27.8.5.1"


def long_form(tag: int, *parts: bytes) -> bytes:
    """An element whose length takes four octets, as Active Directory always writes it."""
    value = b"".join(parts)
    return bytes([tag, 0x84]) + len(value).to_bytes(4, "big") + value


def integer(number: int) -> bytes:
    """An INTEGER of four octets."""
    return b"\x02\x04" + number.to_bytes(4, "big")


def answer_with_control(
    code: int, value: bytes, name: bytes = _POLICY, operation: int = 0x61
) -> Callable[[int], bytes]:
    """A result with a control, by default a bind's with one of the password policy."""
    body = bytes([operation, 7, 0x0A, 1, code, 4, 0, 4, 0])
    controls = long_form(0xA0, long_form(0x30, bytes([4, len(name)]) + name, long_form(0x04, value)))
    return lambda message_id: long_form(0x30, integer(message_id), body, controls)


def notice_of_disconnection() -> bytes:
    """RFC 4511 section 4.4.1: an extended response to message 0, with this name; the code is unavailable."""
    name = b"1.3.6.1.4.1.1466.20036"
    body = bytes.fromhex("0a013404000400") + b"\x8a" + bytes([len(name)]) + name
    notice = b"\x02\x01\x00\x78" + bytes([len(body)]) + body
    return b"0" + bytes([len(notice)]) + notice
