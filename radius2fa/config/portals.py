"""Owns the checks of the portal's section: what contradicts itself, and what would leave people outside."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from radius2fa.config.credentials import open_to_all
from radius2fa.config.faults import Finding, Key
from radius2fa.config.model import Client, Mail, Portal
from radius2fa.config.rules import address
from radius2fa.config.web import SUBMISSION_PORT

PORTAL_CLIENT = "portal"  # the name that sign-ins at the portal have in the journal
_MAIL: Key = ("portal", "mail")
_BEGIN = b"-----BEGIN CERTIFICATE-----"


def host_of(url: str) -> str:
    """Return the host of an origin."""
    return urlsplit(url).hostname or ""


def groups_of(portal: Portal) -> Iterator[tuple[Key, str]]:
    """Yield the DNs of all groups that the portal speaks of, with their places in the section."""
    for key, groups in (("helpdesk_groups", portal.helpdesk_groups), ("admin_groups", portal.admin_groups)):
        yield from (((key, place), group) for place, group in enumerate(groups))


def missing(portal: Portal) -> Iterator[Finding]:
    """Yield what has to be there before the portal can be started; where it is not, the rest of the file is right."""
    if portal.url is None:
        remedy = 'Add url = "https://…" with the address that users will type.'
        yield Finding(("portal", "url"), "is missing: there is no portal without an address", remedy)
    elif portal.url.startswith("https:") and not portal.certificate and not portal.trusted_proxies:
        remedy = "Give certificate and key; or name in trusted_proxies the proxy that speaks TLS in front of it."
        yield Finding(("portal",), f"nobody speaks TLS for {portal.url}", remedy)


def faults(portal: Portal, clients: Mapping[int, Client]) -> Iterator[Finding]:
    """Yield what makes the section unusable although each key is right by itself."""
    yield from _files(portal)
    yield from _in_the_clear(portal)
    yield from _times(portal)
    yield from _enrolment(portal)
    if portal.url is not None:
        yield from _relying_party(portal, host_of(portal.url))
        yield from _name_is_taken(clients)
    yield from _models(portal)
    if portal.mail:
        yield from _mail(portal.mail)


def warnings(portal: Portal, now: float) -> Iterator[Finding]:
    """Yield what works and is hardly meant. `now` is in Unix seconds."""
    until = portal.enrolment_until
    if until and until.timestamp() <= now:
        message = "is over: nobody can enrol a first token without an invitation any more"
        remedy = 'Give a later date, or write enrolment = "invitation" in its place.'
        yield Finding(("portal", "enrolment_until"), message, remedy)
    yield from _no_way_in(portal)
    if portal.key:
        with suppress(OSError):
            yield from open_to_all(portal.key, ("portal", "key"))
    if portal.mail:
        yield from _doubts_of_mail(portal.mail)


def _files(portal: Portal) -> Iterator[Finding]:
    """Yield what belongs together and is not. Whether the files are there only the portal needs to know, as it starts.

    The RADIUS server reads this section too, maybe on another machine, or without a right to the portal's key.
    """
    if portal.certificate and not portal.key:
        remedy = "Give key, the same file if that holds both."
        yield Finding(("portal", "certificate"), "is of no use without its key", remedy)
    if portal.key and not portal.certificate:
        yield Finding(("portal", "key"), "is of no use without its certificate", "Give certificate.")


def _in_the_clear(portal: Portal) -> Iterator[Finding]:
    """Without a certificate it is a proxy that speaks TLS: on this machine, or one that is named."""
    if portal.certificate or portal.trusted_proxies:
        return
    for place, listen in enumerate(portal.listen):
        if not ip_address(listen.host).is_loopback:
            yield Finding(
                ("portal", "listen", place),
                f"passwords would come to {listen.host} in clear text",
                "Give certificate and key; or name in trusted_proxies the proxy that speaks TLS in front of it.",
            )


def _no_way_in(portal: Portal) -> Iterator[Finding]:
    only_here = all(ip_address(listen.host).is_loopback for listen in portal.listen)
    proxies = portal.trusted_proxies
    if only_here and proxies and not portal.certificate and not any(network.is_loopback for network in proxies):
        message = "has no address of this machine, and the portal listens to no other"
        yield Finding(("portal", "trusted_proxies"), message, 'Add "127.0.0.1" and "::1", or change listen.')


def _times(portal: Portal) -> Iterator[Finding]:
    for name, seconds in (("idle", portal.idle), ("fresh", portal.fresh)):
        if seconds > portal.longest:
            yield Finding(("portal", name), f"must be at most longest ({portal.longest} s)", "Lower it.")


def _enrolment(portal: Portal) -> Iterator[Finding]:
    if portal.enrolment != "open":
        for name in ("enrolment_until", "enrolment_networks"):
            if getattr(portal, name) is not None:
                message = f"has no meaning where enrolment is {portal.enrolment!r}"
                yield Finding(("portal", name), message, 'Take it out, or write enrolment = "open".')


def _relying_party(portal: Portal, host: str) -> Iterator[Finding]:
    """Hold the id to what browsers let a page use: its host, or a domain that this is in (WebAuthn section 5.1.3)."""
    if portal.rp_id is None:
        if "passkey" in portal.offer and address(host):
            remedy = 'Give the name of a host in url, or take "passkey" out of offer.'
            yield Finding(("portal", "url"), "is an address by numbers: browsers keep passkeys for names only", remedy)
    elif host != portal.rp_id and not host.endswith(f".{portal.rp_id}"):
        message = f"is neither {host!r}, the host of url, nor a domain that this is in"
        yield Finding(("portal", "rp_id"), message, f'Take it out, or write "{host}" or a domain above it.')
    elif address(portal.rp_id):
        remedy = "Give the name of a host in url, and take this key out."
        yield Finding(("portal", "rp_id"), "is an address by numbers: browsers keep passkeys for names only", remedy)
    elif "." not in portal.rp_id and host != portal.rp_id:
        message = "is a whole top-level domain: browsers refuse it"
        yield Finding(("portal", "rp_id"), message, "Give the domain that is yours.")


def _models(portal: Portal) -> Iterator[Finding]:
    """Hold a list of models to what proves one: the word of its maker, whom the roots make known."""
    if portal.aaguids and portal.attestation != "direct":
        message = "cannot be held to: what model a key is, it tells with attestation only"
        yield Finding(("portal", "aaguids"), message, 'Add attestation = "direct", or take this key out.')
    elif portal.aaguids and not portal.attestation_roots:
        message = "cannot be held to: without its maker's root certificate any program passes for a model"
        yield Finding(("portal", "aaguids"), message, "Add attestation_roots, or take this key out.")
    if portal.attestation_roots and not portal.aaguids:
        message = "is of no use without aaguids: all models are admitted"
        yield Finding(("portal", "attestation_roots"), message, "Add aaguids, or take this key out.")
    for place, path in enumerate(portal.attestation_roots):
        wrong = _no_certificate(path)
        if wrong:
            remedy = "Give the makers' root certificates in PEM."
            yield Finding(("portal", "attestation_roots", place), wrong, remedy)


def _no_certificate(path: Path) -> str | None:
    try:
        return None if _BEGIN in path.read_bytes() else f"there is no certificate in {path}"
    except FileNotFoundError:
        return f"there is no file {path}"
    except OSError as wrong:
        return f"{path} cannot be read: {wrong.strerror}"


def _name_is_taken(clients: Mapping[int, Client]) -> Iterator[Finding]:
    for place, client in clients.items():
        if client.name == PORTAL_CLIENT:
            message = f"{client.name!r} is the name of the portal itself in the journal"
            yield Finding(("client", place, "name"), message, "Choose another.")


def _mail(mail: Mail) -> Iterator[Finding]:
    if mail.user and mail.password is None:
        remedy = "Give password, password_file or password_credential."
        yield Finding((*_MAIL, "user"), "has no password", remedy)
    if mail.password is not None and not mail.user:
        yield Finding((*_MAIL, "password"), "has no user that it belongs to", "Give user.")
    if mail.user and mail.security == "none":
        message = "its password would go to the server in clear text"
        yield Finding((*_MAIL, "security"), message, 'Use "starttls" or "tls", or take user and password out.')


def _doubts_of_mail(mail: Mail) -> Iterator[Finding]:
    if mail.security == "none" and not _loopback(mail.server):
        message = f"mail goes to {mail.server} in clear text"
        yield Finding((*_MAIL, "security"), message, 'Use "starttls" or "tls".')
    if mail.security == "tls" and mail.port == SUBMISSION_PORT:
        message = f"at port {SUBMISSION_PORT} servers wait for STARTTLS, and not for TLS from the first octet"
        yield Finding((*_MAIL, "port"), message, 'Write port = 465, or security = "starttls".')


def _loopback(host: str) -> bool:
    found = address(host)
    return host == "localhost" if found is None else found.is_loopback
