"""Owns what is asked of a directory, and what it answers: here ldap3's terms become ours.

ldap3 answers with dictionaries and, in some strategies, with tuples, which are true whatever they hold. Nothing but the
type and the result code of an answer says here how an operation ended.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ldap3 import DEREF_NEVER, SIMPLE
from ldap3.core.results import RESULT_CODES
from ldap3.operation.bind import bind_operation
from ldap3.operation.extended import extended_operation
from ldap3.operation.search import search_operation
from ldap3.protocol.controls import build_control
from ldap3.protocol.rfc2696 import paged_search_control
from ldap3.protocol.rfc4511 import Simple

_START_TLS = "1.3.6.1.4.1.1466.20037"  # RFC 4511 section 4.14
_PAGED_RESULTS = "1.2.840.113556.1.4.319"  # RFC 2696
_PASSWORD_POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"  # noqa: S105 - an object identifier
_SEQUENCE, _ERROR = 0x30, 0x81  # tags in the value of that control (draft-behera-ldap-password-policy section 6.2)
_BEFORE_DONE = frozenset({"searchResEntry", "searchResRef"})

# The errors of the password policy control that a bind can meet (section 6.2 of the draft).
_POLICY_ERRORS = {0: "passwordExpired", 1: "accountLocked", 2: "changeAfterReset"}


@dataclass(frozen=True, slots=True)
class Result:
    """The LDAPResult that ends an operation (RFC 4511 section 4.1.9): its code, and what the server said to it.

    `cookie` asks for the next page; it is empty where there is none. `policy` is the error of a password policy
    (draft-behera-ldap-password-policy section 6.2), where the answer to a bind names one that can be read.
    """

    code: int
    diagnosis: str
    cookie: bytes = b""
    policy: int | None = None

    def __str__(self) -> str:
        """Return it for a log line: one line of bounded length, whatever the server sent."""
        name = RESULT_CODES.get(self.code, "result")
        said = "".join(c if c.isprintable() else " " for c in self.diagnosis[:200]).strip()
        policy = "" if self.policy is None else f", {_POLICY_ERRORS.get(self.policy, f'policy error {self.policy}')}"
        return f"{name} ({self.code}){policy}" + (f": {said}" if said else "")


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that a search found. The attributes' names are in lower case."""

    dn: str
    attributes: dict[str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of what a search finds: at most `size` entries, behind those of the page that ended with `cookie`."""

    size: int
    cookie: bytes = b""


@dataclass(frozen=True, slots=True)
class Search:
    """What to search. `scope` is ldap3's word, `filter` is text (RFC 4515); limits are entries and seconds, or 0."""

    base: str
    scope: str
    filter: str
    attributes: tuple[str, ...]
    size_limit: int
    time_limit: int
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A request as ldap3 sends it, the names that ldap3 gives it and its answer, and those of what may come before."""

    kind: str
    request: Any
    answer: str
    before: frozenset[str] = frozenset()
    controls: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        """Return the kind alone: the request may hold a password."""
        return f"Operation({self.kind})"


def bind_operation_of(dn: str, password: bytes) -> Operation:
    """Return a simple bind. The password goes as it is: ldap3 puts text through SASLprep, and leaves octets alone.

    It asks why an account is refused, too. That is not critical: a server that knows no such control passes it by.
    """
    request = bind_operation(3, SIMPLE, dn, password)
    # ldap3 makes a text of every request, for its log, and would fail on a password that is no UTF-8.
    request["authentication"]["simple"] = Simple(password, encoding="iso-8859-1")
    control = build_control(_PASSWORD_POLICY, criticality=False, value=None)
    return Operation("bindRequest", request, "bindResponse", controls=(control,))


def search_operation_of(search: Search) -> Operation:
    """Return a search that never dereferences aliases: what is found is what the bind is made with."""
    request = search_operation(
        search.base,
        search.filter,
        search.scope,
        DEREF_NEVER,
        search.attributes,
        search.size_limit,
        search.time_limit,
        types_only=False,
        auto_escape=False,  # ldap3 would guess whether a value is escaped; ours are
        auto_encode=False,
    )
    # Not critical: a server that knows no pages answers with all there is, or says that this is more than it sends.
    page = search.page
    controls = () if page is None else (paged_search_control(False, page.size, page.cookie),)  # noqa: FBT003 - ldap3's
    return Operation("searchRequest", request, "searchResDone", _BEFORE_DONE, controls)


def start_tls_operation() -> Operation:
    """Return the request to go on under TLS."""
    return Operation("extendedReq", extended_operation(_START_TLS), "extendedResp")


def result_of(answer: Mapping[str, Any]) -> Result:
    """Return the result that ldap3 read. A password policy control that cannot be read is taken for none."""
    controls = answer.get("controls", {})
    page, policy = controls.get(_PAGED_RESULTS), controls.get(_PASSWORD_POLICY)
    cookie = page["value"]["cookie"] if page else b""
    error = _policy_error_of(policy["value"]) if policy else None
    return Result(int(answer["result"]), str(answer["message"]), cookie, error)


def _policy_error_of(value: object) -> int | None:
    """Return the error in a password policy control's value, or None where there is none, or none to be read.

    The value is SEQUENCE { warning [0] OPTIONAL, error [1] ENUMERATED OPTIONAL }. ldap3 leaves it to us. Warnings, of
    grace logins and of days that are left, say nothing of this login.
    """
    try:
        ((tag, parts),) = _elements(value if isinstance(value, bytes) else b"")
        ((error,),) = [octets for each, octets in _elements(parts) if each == _ERROR]
    except (ValueError, IndexError):
        return None
    return error if tag == _SEQUENCE else None


def _elements(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and value of each element, with a length that is told beforehand (RFC 4511 section 5.1).

    Raises:
        ValueError: when an element is cut off in its value.
        IndexError: when it is cut off before.

    """
    while octets:
        tag, size, start = octets[0], octets[1], 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(octets[2:start])
        if len(octets) < start + size:
            raise ValueError
        yield tag, octets[start : start + size]
        octets = octets[start + size :]


def found_of(answer: Mapping[str, Any]) -> Found:
    """Return the entry that ldap3 read.

    Raises:
        UnicodeDecodeError: when its DN is not UTF-8: ldap3's text of it would be a guess, and lead to another entry.

    """
    values = answer["raw_attributes"].items()
    return Found(bytes(answer["raw_dn"]).decode(), {name.lower(): tuple(each or ()) for name, each in values})
