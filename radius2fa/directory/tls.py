"""Owns how the directory's servers prove who they are."""

import ssl
from pathlib import Path


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return the one context for all connections: certificate and host name checked, TLS 1.2 at least.

    `ca_file` holds the certificates (PEM) of the authorities to trust; None means the system's own.

    Raises:
        ValueError: when the file cannot be read or holds no certificate.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # this protocol checks certificate and host name by itself
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as fault:
        raise ValueError(f"ca_file: {ca_file} holds no certificate in PEM") from fault
    except OSError as fault:
        raise ValueError(f"ca_file: {ca_file} cannot be read: {fault.strerror}") from fault
    return context
