"""Owns the translation between our terms and ldap3's requests and answers.

ldap3 answers with dictionaries and, in some strategies, with tuples, which are true whatever they hold. Nothing but the
type and the result code of an answer says here how an operation ended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ldap3 import BASE, DEREF_NEVER, SASL, SUBTREE
from ldap3.operation.bind import bind_operation
from ldap3.operation.search import search_operation
from ldap3.protocol.controls import build_control
from ldap3.protocol.rfc2696 import paged_search_control

from radius2fa.directory import password_policy
from radius2fa.directory.terms import Found, Result, Scope, Search

_PAGED_RESULTS = "1.2.840.113556.1.4.319"  # RFC 2696
_MANAGE_DSA_IT = "2.16.840.1.113730.3.4.2"  # RFC 3296 section 3
_REFERENCE = "searchResRef"
_BEFORE_DONE = frozenset({"searchResEntry", _REFERENCE})
_SCOPES = {Scope.BASE: BASE, Scope.SUBTREE: SUBTREE}


@dataclass(frozen=True, slots=True)
class Operation:
    """A request as ldap3 sends it, the names that ldap3 gives it and its answer, and those of what may come before."""

    kind: str
    request: Any
    answer: str
    before: frozenset[str] = frozenset()
    controls: tuple[Any, ...] = ()


def external_bind_operation() -> Operation:
    """Return a bind as whom the transport knows us (RFC 4422 appendix A)."""
    # Empty credentials ask for no other identity. Without any, slapd asks for them, and the bind is not over.
    request = bind_operation(3, SASL, sasl_mechanism="EXTERNAL", sasl_credentials=b"")
    return Operation("bindRequest", request, "bindResponse")


def search_operation_of(search: Search) -> Operation:
    """Return a search that never dereferences aliases: what is found is what the bind is made with."""
    request = search_operation(
        search.base,
        search.filter,
        _SCOPES[search.scope],
        DEREF_NEVER,
        search.attributes,
        search.size_limit,
        search.time_limit,
        types_only=False,
        auto_escape=False,  # ldap3 would guess whether a value is escaped; ours are
        auto_encode=False,
    )
    # Not critical: a server that knows no pages answers with all there is, or says that this is more than it sends.
    controls = []
    if search.page is not None:
        controls.append(paged_search_control(False, search.page.size, search.page.cookie))  # noqa: FBT003 - ldap3's
    if search.manage_dsa_it:
        controls.append(build_control(_MANAGE_DSA_IT, criticality=False, value=None))
    return Operation("searchRequest", request, "searchResDone", _BEFORE_DONE, tuple(controls))


def result_of(answer: Mapping[str, Any], before: Iterable[Mapping[str, Any]] = ()) -> Result:
    """Return the result that ldap3 read, after the messages that came `before` it.

    A password policy control that cannot be read is taken for none.
    """
    controls = answer.get("controls", {})
    page, policy = controls.get(_PAGED_RESULTS), controls.get(password_policy.OID)
    cookie = page["value"]["cookie"] if page else b""
    error = password_policy.error_of(policy["value"]) if policy else None
    referred = any(each["type"] == _REFERENCE for each in before)
    return Result(int(answer["result"]), str(answer["message"]), cookie, error, referred)


def found_of(answer: Mapping[str, Any]) -> Found:
    """Return the entry that ldap3 read.

    Raises:
        UnicodeDecodeError: when its DN is not UTF-8: ldap3's text of it would be a guess, and lead to another entry.

    """
    values = answer["raw_attributes"].items()
    return Found(bytes(answer["raw_dn"]).decode(), {name.lower(): tuple(each or ()) for name, each in values})
