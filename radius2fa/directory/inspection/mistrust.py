"""Owns the second look at a server whose certificate was not accepted: which part of its proof fails.

It is made with Python's own TLS whatever library carries LDAP: each of them says something else, and often little.
Nothing is sent over these connections but StartTLS.
"""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum

from radius2fa.directory.drivers.start_tls import ask_for_tls
from radius2fa.directory.drivers.wire import Wire
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.inspection.certificates import Facts, facts_of
from radius2fa.directory.link import Broken, Dialling
from radius2fa.directory.tls import client_context

# OpenSSL's numbers (x509_vfy.h).
_WRONG_NAME = frozenset({62, 64})  # of a host, of an address
_NO_AUTHORITY = frozenset({2, 7, 18, 19, 20, 21})  # no issuer at hand, another's signature, or one that signed itself


class Flaw(Enum):
    """What is wrong with a proof, as the end of a sentence that begins with the certificate."""

    AUTHORITY = "comes from an authority that is not trusted here"
    ITSELF = "is signed by nobody but itself"
    NAME = "is for other names than {host}"
    EXPIRED = "has expired"
    NOT_YET = "is not valid yet"


@dataclass(frozen=True, slots=True)
class Unproven:
    """What a server shows without proof. There may be no flaw that can be named."""

    facts: Facts
    flaws: tuple[Flaw, ...]


def look(endpoint: Endpoint, dialling: Dialling, now: float, deadline: float) -> Unproven | None:
    """Read the certificate that a server shows; None where it shows none. `now` is in Unix seconds."""
    try:
        octets = _shown(endpoint, dialling, _blind(dialling), deadline)
        facts = facts_of(octets)
        flaws = (*_of_time(facts, now), *_of_proof(octets, facts, endpoint, dialling, deadline))
    except (OSError, ValueError):  # ValueError: a host name or a certificate that is none
        return None
    return Unproven(facts, flaws)


def _of_time(facts: Facts, now: float) -> Iterator[Flaw]:
    when = datetime.fromtimestamp(now, UTC)
    if facts.ends < when:
        yield Flaw.EXPIRED
    if when < facts.begins:
        yield Flaw.NOT_YET


def _of_proof(octets: bytes, facts: Facts, endpoint: Endpoint, dialling: Dialling, deadline: float) -> Iterator[Flaw]:
    """Yield what OpenSSL objects to: it names the first flaw only, and so is asked for each by itself."""
    if _refusal(endpoint, dialling, _of_any_name(dialling), deadline) in _NO_AUTHORITY:
        yield Flaw.ITSELF if facts.signed_by_itself else Flaw.AUTHORITY
    if _refusal(endpoint, dialling, _trusting(octets, dialling), deadline) in _WRONG_NAME:
        yield Flaw.NAME


def _blind(dialling: Dialling) -> ssl.SSLContext:
    """Return what looks at nothing."""
    context = client_context(dialling.tls)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is believed of what is read with it, and nothing is sent
    return context


def _of_any_name(dialling: Dialling) -> ssl.SSLContext:
    """Return what looks at the authority, and after that at the time."""
    context = client_context(dialling.tls)
    context.check_hostname = False
    return context


def _trusting(octets: bytes, dialling: Dialling) -> ssl.SSLContext:
    """Return what looks at the name, and after that at the time: it takes this one certificate for proven."""
    context = client_context(replace(dialling.tls, ca_file=None))
    context.load_verify_locations(cadata=octets)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def _refusal(endpoint: Endpoint, dialling: Dialling, context: ssl.SSLContext, deadline: float) -> int:
    """Return OpenSSL's number for why it does not accept the certificate, 0 where it does."""
    try:
        _shown(endpoint, dialling, context, deadline)
    except ssl.SSLCertVerificationError as fault:
        return fault.verify_code
    return 0


def _shown(endpoint: Endpoint, dialling: Dialling, context: ssl.SSLContext, deadline: float) -> bytes:
    """Return the certificate (DER) that a server shows.

    Raises:
        OSError: when it shows none in time, or the context does not accept it.

    """
    left = min(dialling.timeout, deadline - dialling.clock())
    if left <= 0:
        raise TimeoutError
    with socket.create_connection((endpoint.host, endpoint.port), left) as stream:
        if not endpoint.tls:
            _ask_for_tls(stream, dialling, deadline)
            stream.settimeout(left)
        with context.wrap_socket(stream, server_hostname=endpoint.host) as secured:
            return secured.getpeercert(binary_form=True) or b""


def _ask_for_tls(stream: socket.socket, dialling: Dialling, deadline: float) -> None:
    wire = Wire(stream, dialling.clock)
    wire.begin(min(deadline, dialling.clock() + dialling.timeout))
    try:
        ask_for_tls(wire)
    except Broken as broken:
        raise OSError(broken.cause) from broken
