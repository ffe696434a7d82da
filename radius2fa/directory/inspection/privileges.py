"""Owns the look at what whoever searches the directory for us may read or do and need not. Nothing is ever written."""

from collections.abc import Iterator

from radius2fa.config.model import Directory
from radius2fa.directory.diagnosis import SIZE_LIMIT_EXCEEDED, SUCCESS
from radius2fa.directory.filters import escaped, presence
from radius2fa.directory.inspection.steps import Step
from radius2fa.directory.link import Connection
from radius2fa.directory.terms import NO_ATTRIBUTES, Found, Scope, Search
from radius2fa.login.dn import normal_dn

NAME = "rights"

# What passwords and their hashes are kept in: by OpenLDAP and 389 Directory Server, by Samba's schema for them, by MIT
# Kerberos and FreeIPA, by Active Directory, and by its two generations of LAPS.
SECRETS = (
    "userPassword",
    "pwdHistory",
    "sambaNTPassword",
    "sambaLMPassword",
    "krbPrincipalKey",
    "ipaNTHash",
    "unicodePwd",
    "dBCSPwd",
    "ms-Mcs-AdmPwd",
    "msLAPS-Password",
)
# The groups of Active Directory whose members can give themselves every right ([MS-DTYP] 2.4.2.4): those of a domain by
# the last part of a SID that begins with 21, those of every domain by the one behind 32.
_OF_DOMAIN = {512: "Domain Admins", 518: "Schema Admins", 519: "Enterprise Admins"}
_BUILT_IN = {544: "Administrators", 548: "Account Operators", 549: "Server Operators", 551: "Backup Operators"}
_LEAST = "Use an account of its own that may only look people up: whoever breaks into this server has its rights."


def looked_at(connection: Connection, settings: Directory, deadline: float) -> list[Step]:
    """Return a warning for each thing that is too much, or one step that tells that there is none.

    Raises:
        Broken: when the server does not answer.

    """
    steps = [*_secrets(connection, settings, deadline), *_configuration(connection, deadline)]
    steps += _in_active_directory(connection, settings.bind_dn, deadline)
    return steps or [Step(NAME, ok=True, detail="nothing found that is too much")]


def _warning(detail: str) -> Step:
    return Step(NAME, ok=True, detail=detail, remedy=_LEAST)


def _secrets(connection: Connection, settings: Directory, deadline: float) -> Iterator[Step]:
    """Look for an entry with any of the secrets, and again for the rest, until none is found.

    Its own entry an account may often read as a whole, and so that is passed over.
    """
    own, left = normal_dn(settings.bind_dn), list(SECRETS)
    limit = max(1, int(settings.timeout / 2))  # seconds, so that the server ends the search and not we
    while left:
        text = f"(|{''.join(map(presence, left))})"
        found, result = connection.search(Search(settings.base, Scope.SUBTREE, text, tuple(left), 2, limit), deadline)
        of_others = [entry for entry in found if normal_dn(entry.dn) != own]
        seen = {name: entry.dn for entry in of_others for name in left if entry.attributes.get(name.lower())}
        if not seen:
            if result.code not in (SUCCESS, SIZE_LIMIT_EXCEEDED):
                yield Step(NAME, ok=True, detail=f"not known whether passwords can be read: {result}")
            return
        for name, dn in seen.items():
            yield _warning(f"{name} can be read, for example of {dn}")
        left = [name for name in left if name not in seen]


def _configuration(connection: Connection, deadline: float) -> Iterator[Step]:
    base = "cn=config"  # OpenLDAP's and 389 Directory Server's, with the hash of their administrator's password in it
    if _read(connection, base, (NO_ATTRIBUTES,), deadline):
        yield _warning("cn=config, the server's own configuration, can be read")


def _in_active_directory(connection: Connection, bind_dn: str, deadline: float) -> Iterator[Step]:
    """Look at what Active Directory takes us for: members of groups with power over others, now or once.

    The rootDSE tells all groups of who asks, nested ones too ([MS-ADTS] 3.1.1.3.2.20), whatever form `bind_dn` has.
    """
    for root in _read(connection, "", ("tokenGroups", "defaultNamingContext"), deadline):
        names = sorted(filter(None, map(_powerful, root.attributes.get("tokengroups", ()))))
        if names:
            yield _warning(f"the account is a member of {', '.join(names)}")
        for domain in root.attributes.get("defaultnamingcontext", ()):
            if _protected(connection, bind_dn, domain.decode(errors="replace"), deadline):
                yield _warning("the account has adminCount=1: it is, or was, in a group with power over others")


def _read(connection: Connection, dn: str, attributes: tuple[str, ...], deadline: float) -> list[Found]:
    """Return the entry, if it can be read."""
    return connection.search(Search(dn, Scope.BASE, presence("objectClass"), attributes, 1, 0), deadline)[0]


def _powerful(sid: bytes) -> str:
    """Return the name of a group that has power over others, "" of any other.

    A SID has a revision, the number of its parts, 6 octets of authority, and the parts ([MS-DTYP] 2.4.2).
    """
    parts = [int.from_bytes(sid[at : at + 4], "little") for at in range(8, len(sid), 4)]
    match parts:
        case [32, group]:
            return _BUILT_IN.get(group, "")
        case [21, *_, group]:
            return _OF_DOMAIN.get(group, "")
        case _:
            return ""


def _protected(connection: Connection, bind_dn: str, domain: str, deadline: float) -> bool:
    """Tell whether the account has the mark that Active Directory gives to members of such groups, and leaves there.

    It may be named by its DN, as user@realm or as DOMAIN and user.
    """
    if "=" in bind_dn:
        found = _read(connection, bind_dn, ("adminCount",), deadline)
    elif bind_dn:
        user = escaped(bind_dn.rpartition("\\")[2].partition("@")[0])
        text = f"(|(userPrincipalName={escaped(bind_dn)})(sAMAccountName={user}))"
        found, _ = connection.search(Search(domain, Scope.SUBTREE, text, ("adminCount",), 1, 0), deadline)
    else:
        return False
    return any(entry.attributes.get("admincount") == (b"1",) for entry in found)
