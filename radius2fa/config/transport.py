"""Owns the checks of how one directory is reached: the account there, the certificates, and what stays unencrypted."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from radius2fa.config.credentials import open_to_all
from radius2fa.config.faults import Finding, Key
from radius2fa.config.model import Directory


def faults(key: Key, directory: Directory) -> Iterator[Finding]:
    """Yield what makes the directory at this place of the file unusable although each key is right by itself."""
    yield from _external(key, directory) if directory.bind_method == "external" else _simple(key, directory)
    yield from _files(key, directory)


def warnings(key: Key, directory: Directory) -> Iterator[Finding]:
    """Yield what works and is unwise."""
    for url in directory.urls:
        if _in_the_clear(url, directory) and not _loopback(urlsplit(url).hostname or ""):
            remedy = f"Use start_tls or {urlsplit(url).scheme.replace('ldap', 'ldaps')}://."
            yield Finding((*key, "start_tls"), f"passwords go to {url} in clear text", remedy)
    if directory.client_key and directory.client_key.is_file():
        yield from open_to_all(directory.client_key, (*key, "client_key"))


def _simple(key: Key, directory: Directory) -> Iterator[Finding]:
    if directory.bind_dn and not (directory.bind_password and directory.bind_password.get_secret_value()):
        yield Finding(
            (*key, "bind_dn"),
            "has no password: the directory would take the bind for an anonymous one (RFC 4513 section 5.1.2)",
            "Give bind_password, bind_password_file or bind_password_credential.",
        )
    if directory.bind_password and not directory.bind_dn:
        yield Finding((*key, "bind_password"), "has no bind_dn that it belongs to", "Give bind_dn.")


def _external(key: Key, directory: Directory) -> Iterator[Finding]:
    """Yield why a server could not know us by the transport."""
    for name, given in (("bind_dn", directory.bind_dn), ("bind_password", directory.bind_password)):
        if given:
            message = 'is of no use with bind_method = "external": the server knows us by the certificate or the socket'
            yield Finding((*key, name), message, "Take it out.")
    for url in directory.urls:
        if urlsplit(url).scheme == "ldapi":
            continue
        if directory.client_certificate is None:
            remedy = "Give client_certificate and client_key, or use ldapi://."
            yield Finding((*key, "bind_method"), f"nothing tells {url} who we are", remedy)
        elif _in_the_clear(url, directory):
            remedy = "Use start_tls, or ldaps://."
            yield Finding((*key, "start_tls"), f"without TLS {url} does not see our certificate", remedy)


def _files(key: Key, directory: Directory) -> Iterator[Finding]:
    for name, path, what in (
        ("ca_file", directory.ca_file, "the CA's certificate"),
        ("client_certificate", directory.client_certificate, "our certificate"),
        ("client_key", directory.client_key, "the key of our certificate"),
    ):
        if path and not path.is_file():
            yield Finding((*key, name), f"there is no file {path}", f"Give {what} in PEM.")
    if directory.client_certificate and not directory.client_key:
        remedy = "Give client_key, the same file if that holds both."
        yield Finding((*key, "client_certificate"), "is of no use without its key", remedy)
    if directory.client_key and not directory.client_certificate:
        yield Finding((*key, "client_key"), "is of no use without its certificate", "Give client_certificate.")


def _in_the_clear(url: str, directory: Directory) -> bool:
    return urlsplit(url).scheme in {"ldap", "ldap+srv"} and not directory.start_tls


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
