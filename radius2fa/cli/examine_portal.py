"""Owns what `radius2fa check` says of the portal: whether it would start, its certificate, and the mail server."""

import smtplib
import ssl
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from radius2fa.cli.examine_directory import expiry
from radius2fa.cli.verdict import Check, Verdict
from radius2fa.config import portals
from radius2fa.config.model import Mail, Portal
from radius2fa.config.rules import address
from radius2fa.directory.inspection.certificates import facts_in
from radius2fa.portal.hosting.certificates import UnusableCertificate, server_context
from radius2fa.portal.post import UnusableMail, cause, connected, trusted


def portal(portal: Portal, now: float) -> Iterator[Check]:
    """Look at a portal that has an address, at `now` (Unix seconds)."""
    for one in portals.missing(portal):
        yield Check("portal", Verdict.WARNING, f"does not start here: {one.message}", one.remedy)
    if portal.url and portal.certificate and portal.key:
        yield from certificate(portals.host_of(portal.url), portal.certificate, portal.key, now)
    if portal.mail:
        yield mail_server(portal.mail)


def certificate(host: str, file: Path, key: Path, now: float) -> Iterator[Check]:
    """Look at the portal's certificate and its key, and whether browsers take it for the host's."""
    subject = "portal certificate"
    try:
        server_context(file, key)
        facts = facts_in(file)
    except UnusableCertificate as wrong:
        yield Check(subject, Verdict.FAULT, str(wrong), "Correct portal.certificate and portal.key.")
        return
    except (OSError, ValueError):  # OpenSSL reads more than we do
        yield Check(subject, Verdict.FAULT, f"what {file} says cannot be read", "Have it issued anew.")
        return
    yield Check(subject, Verdict.OK, str(facts))
    if not covers(facts.names, host):
        remedy = f"Get one for {host}, which is the host in portal.url."
        yield Check(subject, Verdict.FAULT, f"is not for {host}: browsers refuse it", remedy)
    if facts.begins > datetime.fromtimestamp(now, UTC):
        yield Check(subject, Verdict.FAULT, "is not valid yet", "Set the clock, or wait.")
    yield from expiry(subject, facts.ends.timestamp(), now, "browsers refuse it")


def covers(names: Iterable[str], host: str) -> bool:
    """Tell whether one of a certificate's names is the host's; a star stands for one label (RFC 9525 section 6.3)."""
    if address(host):
        return any(address(name) == address(host) for name in names)
    above = host.partition(".")[2]
    return any(name.lower() == host or (above != "" and name.lower() == f"*.{above}") for name in names)


def mail_server(mail: Mail) -> Check:
    """Find out whether the mail server takes us; nothing is sent."""
    subject = f"mail {mail.server}:{mail.port}"
    try:
        with connected(mail, trusted(mail)):
            account = f", as {mail.user!r}" if mail.user else ""
            encrypted = "not encrypted" if mail.security == "none" else "by TLS"
            return Check(subject, Verdict.OK, f"answers, {encrypted}{account}")
    except UnusableMail as wrong:
        return Check(subject, Verdict.FAULT, str(wrong), "Correct portal.mail.ca_file.")
    except ssl.SSLCertVerificationError as wrong:
        remedy = "Correct portal.mail.server, or name its authority in portal.mail.ca_file."
        return Check(subject, Verdict.FAULT, f"its certificate is not taken: {wrong.verify_message}", remedy)
    except ssl.SSLError as wrong:
        remedy = 'At port 587 it is usually security = "starttls", at port 465 "tls".'
        return Check(subject, Verdict.FAULT, f"TLS does not come about: {cause(wrong)}", remedy)
    except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError, ValueError) as wrong:
        return Check(subject, Verdict.FAULT, cause(wrong), "Correct user, password and security in portal.mail.")
    except (OSError, smtplib.SMTPException) as wrong:
        return Check(subject, Verdict.UNAVAILABLE, cause(wrong), "See portal.mail, and whether the server runs.")
