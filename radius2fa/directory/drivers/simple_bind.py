"""Owns the simple bind (RFC 4511 section 4.2), which no library carries: its octets, and what the answer's octets say.

Every login makes one, and by ldap3 that took a third of all the CPU time that a login costs. So it has a few lines of
its own, which take nothing for an answer that is not exactly one.
"""

from radius2fa.directory import password_policy
from radius2fa.directory.ber import element, elements, operation_of, size_of
from radius2fa.directory.drivers.wire import Wire
from radius2fa.directory.link import Broken
from radius2fa.directory.terms import Result

# The numbers of our messages go round above those that the libraries count from 1 on. All of them take four octets.
_FIRST, _LAST = 1 << 30, (1 << 31) - 1
_LOT = 16384  # octets, as many as TLS has in one record

_SEQUENCE, _BOOLEAN, _INTEGER, _OCTETS, _ENUMERATED = 0x30, 0x01, 0x02, 0x04, 0x0A
_REQUEST, _ANSWER, _PASSWORD, _CONTROLS, _REFERRAL, _CREDENTIALS = 0x60, 0x61, 0x80, 0xA0, 0xA3, 0x87
_POLICY = password_policy.OID.encode()

# What an LDAPResult, a Control, and what is behind the operation of a message may consist of.
_RESULT = (_ENUMERATED, _OCTETS, _OCTETS)
_RESULTS = (_RESULT, (*_RESULT, _REFERRAL), (*_RESULT, _CREDENTIALS), (*_RESULT, _REFERRAL, _CREDENTIALS))
_CONTROL = ((_OCTETS,), (_OCTETS, _BOOLEAN), (_OCTETS, _OCTETS), (_OCTETS, _BOOLEAN, _OCTETS))
_BEHIND = ((), (_CONTROLS,))
_LONGEST_NUMBER = 4  # octets, of the numbers of messages and of codes

_VERSION = element(_INTEGER, b"\x03")
# It asks why an account is refused. That is not critical: a server that knows no such control passes it by.
_ASKING = element(_CONTROLS, element(_SEQUENCE, element(_OCTETS, _POLICY)))
_PLAIN_SUCCESS = bytes.fromhex("61070a010004000400")
_SUCCESS = Result(0, "")


def number_after(number: int) -> int:
    """Return the number of a connection's next bind; that before the first is 0."""
    return number + 1 if _FIRST <= number < _LAST else _FIRST


def bind(wire: Wire, number: int, dn: str, password: bytes) -> Result:
    """Exchange one bind for its result, before the wire's deadline. `number` is one that `number_after` gave.

    The DN goes as the directory gave it, and the password as it is.

    Raises:
        Broken: when there is no result.

    """
    wire.sendall(_request(number, dn, password))
    octets = wire.recv(_LOT)
    if octets == _plain_success(number):
        return _SUCCESS
    try:
        while not 0 < (size := size_of(octets)) <= len(octets):
            octets += wire.recv(_LOT)
        if len(octets) > size:
            raise _other()
        return _result(octets, number)
    except (ValueError, IndexError):
        raise Broken("the answer cannot be read", sent=True) from None


def _request(number: int, dn: str, password: bytes) -> bytes:
    try:
        name = element(_OCTETS, dn.encode())
    except UnicodeEncodeError as fault:
        raise Broken(f"the request cannot be made: {fault.reason}", sent=False) from None
    operation = element(_REQUEST, _VERSION + name + element(_PASSWORD, password))
    return element(_SEQUENCE, _octets_of(number) + operation + _ASKING)


def _plain_success(number: int) -> bytes:
    """Return how most servers write that the password was right, octet for octet."""
    return element(_SEQUENCE, _octets_of(number) + _PLAIN_SUCCESS)


def _octets_of(number: int) -> bytes:
    return element(_INTEGER, number.to_bytes(_LONGEST_NUMBER))


def _result(octets: bytes, number: int) -> Result:
    """Return what a whole message says, if it is the answer to the bind of this number.

    Raises:
        ValueError: when it cannot be read.
        IndexError: likewise.

    """
    answered, operation = operation_of(octets)
    if (answered, operation) != (number, _ANSWER):
        raise _other() if answered else Broken("the server takes leave", sent=True)  # RFC 4511 section 4.4.1
    ((_, message),) = elements(octets)
    (_, counted), (_, body), *behind = elements(message)
    _expect(behind, _BEHIND)
    parts = elements(body)
    _expect(parts, _RESULTS)
    (_, code), _, (_, said), *more = parts
    if len(counted) > _LONGEST_NUMBER or not 1 <= len(code) <= _LONGEST_NUMBER or code[0] & 0x80:
        raise ValueError
    for uris in (value for tag, value in more if tag == _REFERRAL):
        for uri in elements(uris):
            _expect([uri], ((_OCTETS,),))
    errors = [error for _, controls in behind for error in _policy_errors(controls)]
    # Of several the lowest: those that a login can meet come before those of changing a password.
    return Result(int.from_bytes(code), said.decode(errors="replace"), policy=min(errors, default=None))


def _policy_errors(controls: bytes) -> list[int]:
    """Return the errors of all password policy controls among these. One that cannot be read is taken for none.

    Raises:
        ValueError: when these are no controls.
        IndexError: likewise.

    """
    errors = []
    for control in elements(controls):
        _expect([control], ((_SEQUENCE,),))
        parts = elements(control[1])
        _expect(parts, _CONTROL)
        if parts[0][1] == _POLICY:
            errors += [password_policy.error_of(value) for tag, value in parts[1:] if tag == _OCTETS]
    return [error for error in errors if error is not None]


def _expect(parts: list[tuple[int, bytes]], grammar: tuple[tuple[int, ...], ...]) -> None:
    """Raise ValueError where the tags of these elements are none of those that the grammar has."""
    if tuple(tag for tag, _ in parts) not in grammar:
        raise ValueError


def _other() -> Broken:
    return Broken("an answer to another question", sent=True)
