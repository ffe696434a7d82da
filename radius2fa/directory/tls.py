"""Owns how the directory's servers prove who they are, and how we do, where they ask."""

import ssl
from dataclasses import dataclass
from pathlib import Path

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class Tls:
    """What a connection demands of TLS, whichever library carries it. Certificate and host name are always checked.

    `ca_file` holds the certificates (PEM) of the authorities to trust; None means the system's own. `certificate` and
    `key` (PEM) are ours, None for none. `minimum` is the oldest version that is spoken: "1.2" or "1.3".
    """

    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    minimum: str = "1.2"


def client_context(tls: Tls) -> ssl.SSLContext:
    """Return the one context for all connections.

    Raises:
        ValueError: when a file cannot be read or does not hold what it should, naming the key.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # this protocol checks certificate and host name by itself
    context.minimum_version = _VERSIONS[tls.minimum]
    _trust(context, tls.ca_file)
    return context


def _trust(context: ssl.SSLContext, ca_file: Path | None) -> None:
    if ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as fault:
        raise ValueError(f"ca_file: {ca_file} holds no certificate in PEM") from fault
    except OSError as fault:
        raise ValueError(f"ca_file: {ca_file} cannot be read: {fault.strerror}") from fault
