"""Owns the step of an inspection at which the service account binds, and what is said where it is refused."""

from typing import cast

from radius2fa.config.model import Directory
from radius2fa.directory.diagnosis import verdict_of
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.inspection.steps import Fault, Step
from radius2fa.directory.link import Broken, Connection
from radius2fa.directory.service import ServiceAccount
from radius2fa.directory.terms import Result
from radius2fa.login.ports import BindResult, Unavailable

_NAME = "service account"
_CORRECT = "Correct `bind_dn` and its password."
_REMEDIES = {
    BindResult.PASSWORD_EXPIRED: "Give the account a new password, best one that never expires, and write it here too.",
    BindResult.PASSWORD_MUST_CHANGE: (
        "Set its password in the directory without asking for a change at the next logon; we can change none."
    ),
    BindResult.ACCOUNT_DISABLED: "Enable the account, or choose another.",
    BindResult.ACCOUNT_EXPIRED: "Give the account a later end, or none.",
    BindResult.ACCOUNT_LOCKED: "Unlock the account, and look for what locked it: perhaps an old password elsewhere.",
    BindResult.NOT_NOW: "Allow the account all hours, and this machine as a workstation.",
    BindResult.REFUSED: "See the server's log for why it refuses the account.",
}
# What answers have that say nothing of the account (RFC 4511 appendix A.2).
_OF_CODES = {
    7: "The server does not have this method: see `bind_method`.",
    8: "The server wants TLS first: use ldaps:// or `start_tls`.",
    13: "The server wants TLS first: use ldaps:// or `start_tls`.",
    34: "Write `bind_dn` as a DN.",
}


class _Heard:
    """A connection of which nothing but a bind is wanted, and whose last answer can be looked at.

    The service account tells of a refusal in words only.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.result: Result | None = None

    def bind(self, dn: str, password: bytes, deadline: float) -> Result:
        self.result = self._connection.bind(dn, password, deadline)
        return self.result

    def bind_external(self, deadline: float) -> Result:
        self.result = self._connection.bind_external(deadline)
        return self.result


def admitted(
    connection: Connection, service: ServiceAccount, endpoint: Endpoint, settings: Directory, deadline: float
) -> Step:
    """Bind as a login's searches do, and tell as whom.

    Raises:
        Fault: when the server does not take the account, with the reason where it tells one.

    """
    heard = _Heard(connection)
    try:
        service.bind(cast("Connection", heard), deadline)
    except (Broken, Unavailable) as fault:
        raise _fault(fault, heard.result, endpoint, settings) from fault
    if settings.bind_method == "external":
        return Step(_NAME, ok=True, detail=f"external: {_external(endpoint)}")
    return Step(_NAME, ok=True, detail=settings.bind_dn or "none, as configured: anonymous")


def _fault(fault: Broken | Unavailable, result: Result | None, endpoint: Endpoint, settings: Directory) -> Fault:
    """Say why, as exactly as the answer does; `result` is None where there was none, or it is remembered."""
    verdict = verdict_of(result) if result else None
    if verdict in _REMEDIES:
        return Fault(_NAME, f"{fault.cause} ({verdict.value})", _REMEDIES[verdict])
    if result and result.code in _OF_CODES:
        return Fault(_NAME, fault.cause, _OF_CODES[result.code])
    if result is None and isinstance(fault, Unavailable):
        return Fault(_NAME, f"not tried again: {fault.cause}", _CORRECT)
    if result is None:
        return Fault(_NAME, fault.cause, "See the server's log. Does it ask for a `client_certificate`?")
    if settings.bind_method == "external":
        remedy = f"The server knows us {_external(endpoint)}: let it map that to an account, or set `bind_dn`."
        return Fault(_NAME, fault.cause, remedy)
    return Fault(_NAME, fault.cause, _CORRECT)


def _external(endpoint: Endpoint) -> str:
    return "by the user that this runs as" if endpoint.path else "by our `client_certificate`"
