"""Owns the demo's LDAP directory: ldaptor's server over a small tree in memory, in plain TCP on loopback.

It answers simple binds, searches and "Who am I?", and refuses whatever would change it. What ldaptor leaves open and a
directory must not: passwords stay out of the tree, so that no search finds them, and strangers may not search.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from ldaptor.inmemory import ReadOnlyInMemoryLDAPEntry
from ldaptor.interfaces import IConnectedLDAPEntry
from ldaptor.protocols.ldap import ldaperrors
from ldaptor.protocols.ldap.distinguishedname import DistinguishedName, InvalidRelativeDistinguishedName
from ldaptor.protocols.ldap.ldapserver import LDAPServer
from ldaptor.protocols.ldap.ldapsyntax import MatchNotImplemented
from ldaptor.protocols.pureldap import (
    LDAP_SCOPE_baseObject,
    LDAPBindResponse,
    LDAPExtendedResponse,
    LDAPSearchResultDone,
    LDAPSearchResultEntry,
)
from twisted.internet.protocol import Factory
from twisted.python.components import registerAdapter

from radius2fa.demo.account import BRANCHES, GROUPS, SUFFIX, Account, Group

_WHO_AM_I = b"1.3.6.1.4.1.4203.1.11.3"  # RFC 4532
# What Active Directory writes beside invalidCredentials for a right password of a disabled account.
_DISABLED = b"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 533, v4563"


class TreeEntry(ReadOnlyInMemoryLDAPEntry):  # type: ignore[misc] # ldaptor has no types
    """An entry. What ldaptor cannot evaluate is Undefined, which is no match (RFC 4511 section 4.5.1.7)."""

    def match(self, asked: Any) -> bool:  # noqa: ANN401 - ldaptor has no types
        """Tell whether the entry matches a filter."""
        try:
            return bool(super().match(asked))
        except (
            MatchNotImplemented,
            UnicodeDecodeError,
        ):  # an approximate or an extended match; octets that are no text
            return False


class DirectoryFactory(Factory):
    """What every connection shares: the tree, and who can bind."""

    noisy = False

    def __init__(self, accounts: Iterable[Account], groups: Iterable[Group] = ()) -> None:
        """Plant the tree."""
        self.accounts: Mapping[bytes, Account] = {_key(DistinguishedName(a.dn)): a for a in accounts}
        self.root = _plant(self.accounts.values(), groups)

    def buildProtocol(self, _address: object) -> "DirectoryProtocol":  # noqa: N802 - Twisted's name
        """Return the server's end of a new connection."""
        protocol = DirectoryProtocol()
        protocol.factory = self
        return protocol


# How LDAPServer finds its tree.
registerAdapter(lambda factory: factory.root, DirectoryFactory, IConnectedLDAPEntry)  # type: ignore[no-untyped-call]


def _plant(accounts: Iterable[Account], groups: Iterable[Group]) -> TreeEntry:
    root = TreeEntry(SUFFIX, _octets({"objectClass": ["dcObject", "organization"], "o": ["Example"]}))
    branches = {
        dn: root.addChild(dn.removesuffix(f",{SUFFIX}"), _octets({"objectClass": ["organizationalUnit"]}))
        for dn in BRANCHES
    }
    for account in accounts:
        branches[account.parent].addChild(
            f"uid={account.uid}",
            _octets(
                {
                    "objectClass": ["top", "person", "organizationalPerson", "inetOrgPerson"],
                    "uid": [account.uid],
                    "cn": [account.name],
                    "sn": [account.name.rpartition(" ")[2]],
                    "mail": [f"{account.uid}@example.org"],
                    "entryUUID": [account.uuid],
                }
            ),
        )
    for group in groups:
        members = [account.dn for account in group.members]
        branches[GROUPS].addChild(
            f"cn={group.name}", _octets({"objectClass": ["groupOfNames"], "cn": [group.name], "member": members})
        )
    return root


def _octets(attributes: Mapping[str, list[str]]) -> dict[bytes, list[bytes]]:
    """Spell a tree's attributes as ldaptor compares them with what comes over the wire."""
    return {name.encode(): [value.encode() for value in values] for name, values in attributes.items()}


def _key(dn: DistinguishedName) -> bytes:
    return bytes(dn.getText().lower().encode())


class DirectoryProtocol(LDAPServer):  # type: ignore[misc] # ldaptor has no types
    """One connection."""

    def handle_LDAPBindRequest(self, request: Any, controls: Any, _reply: Any) -> LDAPBindResponse:  # noqa: ANN401, N802 - ldaptor's
        """Answer a simple bind; anonymous ones succeed and may do nothing (RFC 4513 section 5.1)."""
        self.checkControls(controls)
        self.boundUser = None
        if request.sasl:
            raise ldaperrors.LDAPAuthMethodNotSupported("simple binds only")
        if request.dn:
            self.boundUser = self._authenticate(request.dn, request.auth)
        return LDAPBindResponse(resultCode=ldaperrors.Success.resultCode)

    def _authenticate(self, dn: bytes, password: bytes) -> Account:
        try:
            account: Account | None = self.factory.accounts.get(_key(DistinguishedName(dn)))
        except (InvalidRelativeDistinguishedName, UnicodeDecodeError):
            raise ldaperrors.LDAPInvalidDNSyntax from None
        if not password:
            raise ldaperrors.LDAPUnwillingToPerform("unauthenticated bind (RFC 4513 section 5.1.2)")
        if account is None or not hmac.compare_digest(account.password, password):
            raise ldaperrors.LDAPInvalidCredentials
        if account.disabled:
            raise ldaperrors.LDAPInvalidCredentials(_DISABLED)
        return account

    def handle_LDAPSearchRequest(self, request: Any, controls: Any, reply: Any) -> Any:  # noqa: ANN401, N802 - ldaptor's
        """Search for whoever has bound; strangers see the root DSE and no more."""
        if not request.baseObject and request.scope == LDAP_SCOPE_baseObject:
            return self._root_dse(reply)
        if self.boundUser is None:
            raise ldaperrors.LDAPInsufficientAccessRights("bind first")
        return super().handle_LDAPSearchRequest(request, controls, reply)

    def _root_dse(self, reply: Callable[[LDAPSearchResultEntry], None]) -> LDAPSearchResultDone:
        """Answer here (RFC 4512 section 5.1): ldaptor knows one spelling of the filter, ldapsearch has another."""
        attributes = [("supportedLDAPVersion", ["3"]), ("namingContexts", [SUFFIX])]
        reply(LDAPSearchResultEntry(objectName="", attributes=[*attributes, ("supportedExtension", [_WHO_AM_I])]))
        return LDAPSearchResultDone(resultCode=ldaperrors.Success.resultCode)

    def handle_LDAPExtendedRequest(self, request: Any, _controls: Any, _reply: Any) -> LDAPExtendedResponse:  # noqa: ANN401, N802 - ldaptor's
        """Answer "Who am I?" (RFC 4532)."""
        if request.requestName != _WHO_AM_I:
            raise ldaperrors.LDAPProtocolError("unknown extended request")
        who = f"dn:{self.boundUser.dn}" if self.boundUser else ""
        return LDAPExtendedResponse(resultCode=ldaperrors.Success.resultCode, response=who.encode())

    def _refused(self, *_: object) -> NoReturn:
        raise ldaperrors.LDAPUnwillingToPerform("this directory is for binds and searches")

    handle_LDAPAddRequest = _refused  # noqa: N815 - ldaptor's names, here and below
    handle_LDAPCompareRequest = _refused  # noqa: N815
    handle_LDAPDelRequest = _refused  # noqa: N815
    handle_LDAPModifyRequest = _refused  # noqa: N815
    handle_LDAPModifyDNRequest = _refused  # noqa: N815
