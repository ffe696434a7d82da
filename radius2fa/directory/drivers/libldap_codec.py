"""Owns the translation between our terms and LDAP's octets, which libldap makes and reads: no socket of it leads out.

Passwords never come near it: see `simple_bind`.

libldap wants a socket that is connected. It gets one end of a pair inside this process, and what it writes there is
taken from the other end, as what it shall read is put in there. So it looks up no name, connects to nothing, follows no
referral and waits for nobody; and of its configuration (ldap.conf, ldaprc, LDAP* in the environment), of which it reads
more than we could forbid, what is about servers and TLS has nothing to work on. The rest is set here.

The C extension itself is used, not the Python around it, which takes a lock for every call and writes requests where
somebody has switched its trace on.
"""

import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import _ldap  # type: ignore[import-not-found] # it has no stubs
from ldap3.protocol.rfc2696 import RealSearchControlValue
from pyasn1.codec.ber.decoder import decode
from pyasn1.error import PyAsn1Error

from radius2fa.directory import password_policy
from radius2fa.directory.ber import elements, operation_of, size_of
from radius2fa.directory.diagnosis import REFERRAL
from radius2fa.directory.link import Broken
from radius2fa.directory.terms import Found, Result, Scope, Search

_PAGED_RESULTS = "1.2.840.113556.1.4.319"  # RFC 2696
_MANAGE_DSA_IT = "2.16.840.1.113730.3.4.2"  # RFC 3296 section 3
_SCOPES = {Scope.BASE: _ldap.SCOPE_BASE, Scope.SUBTREE: _ldap.SCOPE_SUBTREE}

# A control is its OID, whether it is critical, and its value. None of ours is: a server that knows it not passes it by.
Control = tuple[str, bool, bytes | None]

_OPTIONS = (
    (_ldap.OPT_PROTOCOL_VERSION, 3),
    (_ldap.OPT_REFERRALS, False),
    (_ldap.OPT_DEREF, _ldap.DEREF_NEVER),  # what is found is what the bind is made with
    (_ldap.OPT_TIMELIMIT, 0),  # of a search that tells none
    (_ldap.OPT_TIMEOUT, 0),  # of calls that wait for their answer, see `write_external_bind`
    (_ldap.OPT_X_SASL_NOCANON, True),  # or it would ask DNS for the name of an address
)
_PIECE = 4096  # octets; most requests are shorter
_LOT = 65536  # octets, for which a pair of sockets has room
_WITHOUT_WAITING = (_ldap.RES_ANY, _ldap.MSG_ONE, 0.0)
_ENUMERATED, _OCTETS, _REFERRAL, _CONTROLS = 0x0A, 0x04, 0xA3, 0xA0  # tags (RFC 4511 sections 4.1.9 and 4.1.1)

BIND = int(_ldap.RES_BIND)
ENTRY = int(_ldap.RES_SEARCH_ENTRY)
REFERENCE = int(_ldap.RES_SEARCH_REFERENCE)
SEARCH_DONE = int(_ldap.RES_SEARCH_RESULT)
_SUCCESS = Result(0, "")
_PLAIN_SUCCESS = bytes.fromhex("070a010004000400")  # behind the operation's tag
_LONGEST_CODE = 4  # octets, as ldap3 takes it
_ENDS = (BIND, SEARCH_DONE)
_ANSWERS = (BIND, SEARCH_DONE, ENTRY, REFERENCE)


class Message(NamedTuple):
    """One message of an answer: an ENTRY with what was `found`, a REFERENCE, or what ends it with a `result`."""

    kind: int
    found: Found | None = None
    result: Result | None = None


class Codec:
    """A session of libldap for one connection, with one request at a time.

    A request is written, then its octets are taken; the octets of the answer are read as they come. All faults are
    Broken.
    """

    def __init__(self) -> None:
        """Begin a session."""
        _ldap.set_option(_ldap.OPT_DEBUG_LEVEL, 0)  # it is libldap's as a whole, and would print all that is asked
        self._outside, inside = socket.socketpair()
        self._outside.settimeout(0)
        inside.settimeout(0)
        self._unread = b""
        self._session = _ldap.initialize_fd(inside.detach(), "ldap://unused")  # which closes it
        for option, value in _OPTIONS:
            self._session.set_option(option, value)

    def write_external_bind(self) -> None:
        """Write a bind as whom the transport knows us (RFC 4422 appendix A); no other identity is asked for."""
        with contextlib.suppress(_ldap.TIMEOUT):  # there is no call that does not wait; this one has written by then
            self._session.sasl_bind_s("", "EXTERNAL", b"", None, None)

    def write_search(self, search: Search) -> None:
        """Write a search."""
        _write(
            self._session.search_ext,
            search.base,
            _SCOPES[search.scope],
            search.filter,
            search.attributes,
            0,  # values, too
            _controls_of(search),
            None,
            search.time_limit or -1,  # or that of the session, which is none
            search.size_limit,
        )

    def taken(self) -> bytes:
        """Return the octets of what was written."""
        octets = self._outside.recv(_PIECE)
        return octets if len(octets) < _PIECE else octets + self._rest()

    def _rest(self) -> bytes:
        """Return what is behind the first piece. libldap writes the end of a very long request when it is called on."""
        pieces = []
        with contextlib.suppress(BlockingIOError):
            while True:
                pieces += self._ready()
                self._session.result4(*_WITHOUT_WAITING)
                pieces.append(self._outside.recv(_LOT))
        return b"".join(pieces)

    def _ready(self) -> list[bytes]:
        pieces = []
        with contextlib.suppress(BlockingIOError):
            while True:
                pieces.append(self._outside.recv(_LOT))
        return pieces

    def read(self, octets: bytes) -> list[Message]:
        """Return the messages that have come whole with these octets, the next ones of the answer.

        Raises:
            Broken: when they cannot be read, answer something else, or are a farewell.

        """
        left = self._unread + octets
        messages = []
        try:
            while left and 0 < (size := size_of(left)) <= len(left):
                messages.append(self._decoded(left[:size]))
                left = left[size:]
        except (ValueError, IndexError):
            raise _unreadable() from None
        self._unread = left
        return messages

    def has_more(self) -> bool:
        """Tell whether something has come behind the messages that were read."""
        return self._unread != b""

    def farewell(self) -> bytes:
        """End the session, and return the octets with which to take leave."""
        octets = b""
        with contextlib.suppress(_ldap.LDAPError, OSError):
            self._session.unbind_ext()
            octets = self._outside.recv(_PIECE)
        self._outside.close()
        return octets

    def _decoded(self, octets: bytes) -> Message:
        """Return the message that these octets are. libldap sees no other kinds: some of them end the whole process."""
        number, operation = operation_of(octets)
        if operation not in _ANSWERS:
            raise Broken("an answer to another question" if number else "the server takes leave", sent=True)
        if operation in _ENDS and not _is_plain_success(octets):
            _check(octets)
        try:
            for start in range(0, len(octets), _LOT):
                self._outside.send(octets[start : start + _LOT])
                kind, data, _, controls = self._session.result4(*_WITHOUT_WAITING)
            if kind is None:
                raise Broken("an answer to another question", sent=True)
            return self._message(octets, kind, data, controls)
        except _ldap.LDAPError as fault:
            return self._failed(fault.args[0] if fault.args else {})
        except (UnicodeError, MemoryError):  # text that is no UTF-8; the name of a control is told by MemoryError
            raise _unreadable() from None

    def _message(self, octets: bytes, kind: int, data: list[Any], controls: Sequence[Control]) -> Message:
        if kind == ENTRY:
            ((dn, attributes),) = data
            if 0 in octets and dn.encode() != _dn_in(octets):
                raise _unreadable()  # it was cut off at a NUL, and is another one now
            return Message(kind, Found(dn, {name.lower(): tuple(values) for name, values in attributes.items()}))
        if kind == REFERENCE:
            return Message(kind)
        return Message(kind, result=_result(0, self._diagnosis(), controls))

    def _failed(self, details: Mapping[str, Any]) -> Message:
        """Return the message that libldap tells as an exception: a result other than success."""
        code = details.get("result", -1)
        if "msgtype" not in details or code < 0:  # below 0 are libldap's own
            raise _unreadable() from None
        # Where a referral comes with it, that stands in place of what the server said.
        said = self._diagnosis() if code == REFERRAL else details.get("info", "")
        return Message(details["msgtype"], result=_result(code, said, details["ctrls"]))

    def _diagnosis(self) -> str:
        try:
            return self._session.get_option(_ldap.OPT_DIAGNOSTIC_MESSAGE) or ""
        except UnicodeError:
            return ""  # as python-ldap itself leaves one out that is no UTF-8


def _write(call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except (_ldap.LDAPError, ValueError) as fault:  # ValueError: text with a NUL, or that is no Unicode
        cause = fault.args[0].get("desc") if isinstance(fault, _ldap.LDAPError) and fault.args else fault
        raise Broken(f"the request cannot be made: {cause}", sent=False) from None


def _controls_of(search: Search) -> list[Control]:
    controls: list[Control] = []
    if search.page is not None:
        controls.append((_PAGED_RESULTS, False, _ldap.encode_page_control(search.page.size, search.page.cookie)))
    if search.manage_dsa_it:
        controls.append((_MANAGE_DSA_IT, False, None))
    return controls


def _result(code: int, diagnosis: str, controls: Sequence[Control]) -> Result:
    """Return a result. A password policy control that cannot be read is taken for none."""
    if not (code or diagnosis or controls):
        return _SUCCESS
    cookie, policy = b"", None
    for name, _, value in controls:
        if name == _PAGED_RESULTS:
            cookie = _cookie_of(value or b"")
        elif name == password_policy.OID:
            policy = password_policy.error_of(value)
    return Result(code, diagnosis, cookie, policy)


def _is_plain_success(octets: bytes) -> bool:
    """Tell whether a whole message is a short one that ends a bind or search with success, and holds nothing else."""
    return octets[1] < 0x80 and octets[5 + octets[3] :] == _PLAIN_SUCCESS  # noqa: PLR2004 - short lengths


def _check(octets: bytes) -> None:
    """Read a result strictly, which libldap does not: it takes any number for a code, and passes over what is cut off.

    python-ldap crashes the process on a referral that is no UTF-8.

    Raises:
        ValueError: when it cannot be read.
        IndexError: likewise.

    """
    ((_, message),) = elements(octets)
    _, (_, operation), *behind = elements(message)
    (code, number), (dn, _), (said, _), *more = elements(operation)
    if (code, dn, said) != (_ENUMERATED, _OCTETS, _OCTETS) or not 1 <= len(number) <= _LONGEST_CODE:
        raise ValueError
    if [tag for tag, _ in behind] not in ([], [_CONTROLS]):
        raise ValueError
    for uris in (value for tag, value in more if tag == _REFERRAL):
        for _, uri in elements(uris):
            uri.decode()
    for _, controls in behind:
        for _, control in elements(controls):
            elements(control)


def _dn_in(octets: bytes) -> bytes:
    """Return the DN of an entry. Raises ValueError or IndexError when it cannot be read."""
    ((_, message),) = elements(octets)
    (_, entry) = elements(message)[1]
    return elements(entry)[0][1]


def _cookie_of(value: bytes) -> bytes:
    """Return the cookie in a control of RFC 2696. By the grammar of ldap3: libldap's reader has crashed on others."""
    try:
        page, _ = decode(value, asn1Spec=RealSearchControlValue())
    except PyAsn1Error:
        raise _unreadable() from None
    return bytes(page["cookie"])


def _unreadable() -> Broken:
    return Broken("the answer cannot be read", sent=True)
