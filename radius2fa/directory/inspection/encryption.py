"""Owns the step of an inspection at which TLS begins, and what is said where it does not."""

from collections.abc import Callable

from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.inspection.certificates import facts_of
from radius2fa.directory.inspection.mistrust import Flaw, Unproven, look
from radius2fa.directory.inspection.steps import Fault, Step
from radius2fa.directory.link import Broken, Connection, Dialling

_REMEDIES = {
    Flaw.AUTHORITY: (
        "If you trust it, name the root that it leads to (a file in PEM) in `ca_file`; the server has to send the "
        "authorities between."
    ),
    Flaw.ITSELF: "Name a file with the certificate itself (PEM) in `ca_file`, if you trust it.",
    Flaw.NAME: "Name the server in `urls` as its certificate does, or have one issued for {host}.",
    Flaw.EXPIRED: "Have it renewed on the server.",
    Flaw.NOT_YET: "Wait, or set the clock: here or where it was issued it is wrong.",
}
_NO_CERTIFICATE = (
    "ldaps:// begins with TLS (port 636), ldap:// asks for it by StartTLS (port 389): does this port do so, in a "
    "version that `tls_minimum` allows? Does the server ask for a `client_certificate`?"
)


def encrypted(
    connection: Connection, endpoint: Endpoint, dialling: Dialling, now: Callable[[], float], deadline: float
) -> Step:
    """Begin TLS as the configuration says, and tell what the server's certificate says. `now` gives Unix seconds.

    Raises:
        Fault: when there is no TLS, with what is wrong with the certificate.

    """
    try:
        connection.secure(endpoint, deadline)
    except Broken as broken:
        raise _fault(broken, endpoint, look(endpoint, dialling, now(), deadline)) from broken
    octets = connection.certificate()
    if endpoint.path:
        return Step("tls", ok=True, detail="none is needed: a socket of this machine")
    if octets is None:
        return Step("tls", ok=True, detail="none, as configured: passwords travel in the clear")
    try:
        facts = facts_of(octets)
    except ValueError:  # TLS reads no more of it than it needs
        return Step("tls", ok=True, detail="verified: a certificate that cannot be read as a whole")
    return Step("tls", ok=True, detail=f"verified: {facts}", expires=facts.ends.timestamp())


def _fault(broken: Broken, endpoint: Endpoint, shown: Unproven | None) -> Fault:
    if shown is None:
        return Fault("tls", broken.cause, _NO_CERTIFICATE)
    if not shown.flaws:
        remedy = f"Look at the certificates of the authorities in `ca_file`, too. {_NO_CERTIFICATE}"
        return Fault("tls", f"{broken.cause}. The server's certificate is {shown.facts}", remedy)
    *most, last = (flaw.value.format(host=endpoint.host) for flaw in shown.flaws)
    flaws = f"{', '.join(most)} and {last}" if most else last
    remedies = " ".join(_REMEDIES[flaw].format(host=endpoint.host) for flaw in shown.flaws)
    return Fault("tls", f"the certificate is not accepted: it {flaws}. It is {shown.facts}", remedies)
