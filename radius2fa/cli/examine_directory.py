"""Owns what `radius2fa check` says of the directories: their servers, what DNS tells of these, certificates, groups."""

import time
from collections.abc import Generator, Iterator
from contextlib import closing

from radius2fa.cli.verdict import Check, Verdict
from radius2fa.config import portals
from radius2fa.config.model import Directory, Settings
from radius2fa.config.policies import groups_of
from radius2fa.directory.directories import Directories
from radius2fa.directory.endpoints import tell
from radius2fa.directory.inspect import PATIENCE, inspect
from radius2fa.directory.inspection.accounts import Accounts
from radius2fa.directory.inspection.certificates import facts_in
from radius2fa.directory.inspection.steps import ServerReport, Step
from radius2fa.directory.srv import Told
from radius2fa.directory.wanted import Wanted
from radius2fa.login.ports import Unavailable
from radius2fa.portal.wanted import portal_wanted
from radius2fa.server.wanted import wanted

DAY = 86400.0
_CERTIFICATE_DAYS = 30  # time enough to get a new one


def directories(settings: Settings) -> Iterator[Check]:
    """Try every server of each directory as a login would, and then look for the groups that policies speak of."""
    all_well, accounts = True, Accounts(time.monotonic)
    for directory in settings.directory:
        all_well &= yield from _directory(directory, settings, accounts)
    if all_well:  # or a group may be in the one that is not
        yield from groups(settings)


def _directory(directory: Directory, settings: Settings, accounts: Accounts) -> Generator[Check, None, bool]:
    """Say what is to be said of one directory, and return whether some server of it is well."""
    prefix = f"{directory.name} " if len(settings.directory) > 1 else ""
    try:
        told = tell(directory)
        endpoints = dict.fromkeys(endpoint for each in told for endpoint in each.endpoints)
        reports = inspect(
            directory, time.monotonic, _wanted(settings), now=time.time, endpoints=endpoints, accounts=accounts
        )
    except ValueError as wrong:
        subject = f"directory {directory.name}" if prefix else "directory"
        yield Check(subject, Verdict.FAULT, str(wrong), "Correct it in the configuration.")
        return False
    for each in told:
        yield from service(each, prefix)
    for report in reports:
        yield from server(report, time.time(), prefix)
    yield from own_certificate(directory, time.time(), prefix)
    return any(report.ok for report in reports)


def _wanted(settings: Settings) -> Wanted:
    """Return what the server wants to know of people, and the portal, if there is one."""
    one = wanted(settings)
    if settings.portal.url is None:
        return one
    other = portal_wanted(settings)
    return Wanted(one.groups or other.groups, one.attributes | other.attributes, one.names or other.names)


def service(told: Told, prefix: str = "") -> Iterator[Check]:
    """Say what DNS told of the servers behind a URL, if that names a service and not a server."""
    if [endpoint.url for endpoint in told.endpoints] == [told.url]:
        return
    subject = f"{prefix}{told.url} dns"
    if told.endpoints:
        yield Check(subject, Verdict.OK, f"leads to {', '.join(endpoint.url for endpoint in told.endpoints)}")
    for record in told.passed_over:
        yield Check(subject, Verdict.WARNING, f"passed over: {record}", "Correct the record, or have it removed.")
    if told.fault:
        remedy = "Correct the name in `urls`, or the zone, or the resolver; or name the servers themselves."
        yield Check(subject, Verdict.UNAVAILABLE, told.fault, remedy)


def server(report: ServerReport, now: float, prefix: str = "") -> Iterator[Check]:
    """Say what was found out about one server at `now` (Unix seconds)."""
    for step in report.steps:
        yield Check(f"{prefix}{report.url} {step.name}", _verdict(step), step.detail, step.remedy)
    if report.certificate_expires is not None:
        yield from expiry(f"{prefix}{report.url} certificate", report.certificate_expires, now)


def _verdict(step: Step) -> Verdict:
    if not step.ok:
        return Verdict.UNAVAILABLE
    return Verdict.WARNING if step.remedy else Verdict.OK


def own_certificate(directory: Directory, now: float, prefix: str = "") -> Iterator[Check]:
    """Say what our own certificate says, if there is one, at `now` (Unix seconds)."""
    if directory.client_certificate is None:
        return
    subject = f"{prefix}client_certificate"
    try:
        facts = facts_in(directory.client_certificate)
    except (OSError, ValueError):
        remedy = "Write the certificate there, in PEM, as its owner's first one."
        yield Check(subject, Verdict.FAULT, f"no certificate can be read in {directory.client_certificate}", remedy)
        return
    yield Check(subject, Verdict.OK, f"{facts.subject}: {facts}")
    yield from expiry(subject, facts.ends.timestamp(), now)


def expiry(subject: str, ends: float, now: float, what_ends: str = "logins end") -> Iterator[Check]:
    """Warn of an end that is near; `what_ends` with it."""
    days = int((ends - now) // DAY)
    if days < 0:
        yield Check(subject, Verdict.FAULT, "has expired", "Have it renewed.")
    elif days < _CERTIFICATE_DAYS:
        message = f"expires in {days} days" if days > 1 else "expires within two days"
        yield Check(subject, Verdict.WARNING, message, f"Have it renewed, or {what_ends} then.")


def groups(settings: Settings) -> Iterator[Check]:
    """Look for each group that the settings speak of, in all directories: nobody belongs to one that is misspelt."""
    policies = {
        group: f"policy {policy.name!r}" for policy in reversed(settings.policy) for _, group in groups_of(policy)
    }
    places = {group: f"portal.{key[0]}" for key, group in portals.groups_of(settings.portal)} | policies
    with closing(Directories.of(settings, time.monotonic)) as directories:
        for group, place in places.items():
            try:
                why = directories.unreadable(group, time.monotonic() + PATIENCE)
            except Unavailable as broken:
                yield Check(f"group {group}", Verdict.UNAVAILABLE, broken.cause, "See the directory's log.")
                continue
            if why:
                remedy = f"Correct the DN in {place}, or let the service account read the group."
                yield Check(f"group {group}", Verdict.WARNING, f"no such group can be read: {why}", remedy)
