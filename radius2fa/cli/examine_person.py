"""Owns what `radius2fa check --user` finds out: whom a name leads to, by which search, and which rule holds."""

import time
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass

from radius2fa.cli.deciding import Asker, asker_of, rule_words
from radius2fa.cli.opening import NO, UNAVAILABLE, open_directory
from radius2fa.cli.ruling import NEVER
from radius2fa.cli.verdict import Check, Verdict
from radius2fa.config.model import Directory, Settings
from radius2fa.directory.directories import Directories
from radius2fa.directory.inspection.accounts import Accounts
from radius2fa.directory.inspection.whereabouts import Whereabouts, whereabouts
from radius2fa.directory.wanted import Wanted
from radius2fa.login.policy import Rules, SecondFactor
from radius2fa.login.ports import Entry, NotFound, Unavailable
from radius2fa.server.wanted import wanted
from radius2fa.server.wiring import rules

_UNAVAILABLE = "not known: the directory is unavailable"
_TRY = "`radius2fa check` tries each server."


@dataclass(frozen=True, slots=True)
class AtClient:
    """What a name leads to where a client asks: the rule for an entry, in words, or why there is none.

    `unavailable` is the cause where that is not known, "" otherwise.
    """

    client: str
    entry: Entry | None
    words: str
    unavailable: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """What was found out about a name. `wanted` is what the policy speaks of."""

    name: str
    wanted: Wanted
    clients: tuple[AtClient, ...]
    searched: tuple[Whereabouts, ...]
    checks: tuple[Check, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Return the people, each once: more than one where clients look in different directories."""
        return tuple(
            {(each.entry.directory, each.entry.dn): each.entry for each in self.clients if each.entry}.values()
        )

    @property
    def exit_code(self) -> int:
        """Return 0 if there is somebody, 69 if that is not known, 1 otherwise."""
        if self.entries:
            return 0
        return UNAVAILABLE if any(each.unavailable for each in self.clients) else NO

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield it for people, as names and texts."""
        yield "User", self.name
        for entry in self.entries:
            yield from _facts(entry, self.wanted)
        for each in self.searched:
            prefix = f"{each.directory}: " if len(self.searched) > 1 else ""
            yield "Searched", f"{prefix}{each.filter} below {each.base} (found: {len(each.found)})"
        for client in self.clients:
            yield "Client", f"{client.client}: {client.words}"

    def described(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "exit_code": self.exit_code,
            "user": self.name,
            "entries": [_described(entry, self.wanted) for entry in self.entries],
            "searched": [asdict(each) for each in self.searched],
            "clients": [
                {"client": each.client, "dn": each.entry.dn if each.entry else None, "rule": each.words}
                for each in self.clients
            ],
            "checks": [asdict(each) for each in self.checks],
        }


def person(settings: Settings, name: str, client: str | None) -> Person:
    """Look for a name as logins by this client do, or by each of the clients."""
    names = [each.name for each in settings.client] if client is None else [client]
    askers = [asker_of(settings, each, "") for each in names]
    decided = rules(settings)
    accounts = Accounts(time.monotonic)
    with closing(open_directory(settings)) as directories:
        asked = {each for asker in askers for each in directories.asked(name, asker.client.name)}
        sections = [each for each in settings.directory if each.name in asked]
        searched, checks = _searched(sections, settings, name, accounts)
        known = {each.directory for each in searched if each.found}
        refusals = {each.name: accounts.of(each).refusal for each in sections}
        clients = tuple(
            _refused(asker, directories.asked(name, asker.client.name), known, refusals)
            or _at(asker, directories, name, decided, settings.server.patience)
            for asker in askers
        )
    if not sections:
        remedy = "See `directories` of the client, and `realms`, `domains` and `default` of the directories."
        checks.append(Check("directory", Verdict.FAULT, "no directory is asked for this name", remedy))
    if not checks:  # a fault beyond the search: of the entry's id, or of the groups
        causes = dict.fromkeys(each.unavailable for each in clients if each.unavailable)
        checks += [Check("directory", Verdict.UNAVAILABLE, cause, _TRY) for cause in causes]
    somebody = any(each.entry for each in clients)
    return Person(name, wanted(settings), clients, searched, () if somebody else tuple(checks))


def _refused(asker: Asker, asked: Iterable[str], known: Container[str], refusals: Mapping[str, str]) -> AtClient | None:
    """Return that a login would come to a directory that refuses our service account; None if it would not.

    So that is not tried a second time. The directories are `asked` one after the other until one of them knows the
    name; `refusals` are "" for those that took the account.
    """
    for directory in asked:
        if directory in known:
            return None
        if refusals[directory]:
            return AtClient(asker.client.name, None, _UNAVAILABLE, refusals[directory])
    return None


def _at(asker: Asker, directories: Directories, name: str, decided: Rules, patience: float) -> AtClient:
    client = asker.client.name
    try:
        found = directories.find(name, client, time.monotonic() + patience)
    except Unavailable as broken:
        return AtClient(client, None, _UNAVAILABLE, broken.cause)
    if isinstance(found, NotFound):
        return AtClient(client, None, found.value)
    rule = decided.choose(client, found, asker.address)
    never = rule.second_factor is SecondFactor.DENY or rule.shuts_out(found)
    return AtClient(client, found, f"{rule_words(rule, time.time())}{f' ({NEVER})' if never else ''}")


def _facts(entry: Entry, wanted: Wanted) -> Iterator[tuple[str, str]]:
    yield "Directory", entry.directory
    yield "DN", entry.dn
    yield "Id", entry.subject
    yield "Name", entry.name
    yield "Groups", str(len(entry.groups)) if wanted.groups else "not looked for: no policy speaks of groups"
    for group in sorted(entry.groups):
        yield "Group", group
    for attribute in sorted(wanted.attributes):
        yield "Attribute", f"{attribute}: {', '.join(entry.attributes.get(attribute.lower(), ())) or 'none'}"


def _described(entry: Entry, wanted: Wanted) -> dict[str, object]:
    return {
        "directory": entry.directory,
        "dn": entry.dn,
        "id": entry.subject,
        "name": entry.name,
        "groups": sorted(entry.groups) if wanted.groups else None,
        "attributes": {name: list(entry.attributes.get(name.lower(), ())) for name in sorted(wanted.attributes)},
    }


def _searched(
    sections: list[Directory], settings: Settings, name: str, accounts: Accounts
) -> tuple[tuple[Whereabouts, ...], list[Check]]:
    """Search each directory, and say what is wrong where the name leads to nobody."""
    searched, checks = [], list[Check]()
    for directory in sections:
        prefix = f"{directory.name} " if len(settings.directory) > 1 else ""
        try:
            where = whereabouts(directory, name, time.monotonic, time.monotonic() + settings.server.patience, accounts)
        except Unavailable as broken:
            checks.append(Check(f"{prefix}servers", Verdict.UNAVAILABLE, broken.cause, _TRY))
        else:
            searched.append(where)
            checks += explained(where, directory, name, prefix)
    return tuple(searched), checks


def explained(where: Whereabouts, directory: Directory, name: str, prefix: str = "") -> Iterator[Check]:
    """Say why a name leads to nobody in a directory, and what to do."""
    if where.refusal:
        remedy = "Correct `base`, or let the service account search there; `radius2fa check` says more."
        yield Check(f"{prefix}search", Verdict.FAULT, f"the server refuses it: {where.refusal}", remedy)
    if where.refers_to:
        remedy = "Write a `[[directory]]` of its own for that server: referrals are never followed."
        message = f"its entry only refers to another server: {', '.join(where.refers_to)}"
        yield Check(f"{prefix}referral", Verdict.FAULT, message, remedy)
    if len(where.found) > 1:
        remedy = "Let `user_filter` find one of them only, for a name must lead to one person."
        yield Check(f"{prefix}name", Verdict.FAULT, f"leads to several: {'; '.join(where.found)}", remedy)
    for entry in where.left_out:
        message = f"{entry.dn} has it, and does not pass {' and '.join(entry.parts) or 'the filter'}"
        remedy = f"Correct `user_filter`, or the entry, if this person may log in.{_foreign(name)}"
        yield Check(f"{prefix}name", Verdict.FAULT, message, remedy)
    for dn in where.elsewhere:
        remedy = "Correct `base`, if this person may log in."
        yield Check(f"{prefix}name", Verdict.FAULT, f"{dn} has it, and is not below {where.base}", remedy)
    if not (where.refusal or where.found or where.left_out or where.elsewhere or where.refers_to):
        remedy = f"Look at the spelling, and whether the service account may read the entry.{_foreign(name)}"
        yield Check(f"{prefix}name", Verdict.FAULT, f"no entry has it as its {directory.name_attribute}", remedy)
    if where.referred and not (where.found or where.refers_to or where.left_out or where.elsewhere):
        remedy = (
            "If people are there, name servers in `urls` that hold them, or write a `[[directory]]` of its own for "
            "each part. Active Directory refers to others for parts that hold no people, too."
        )
        message = f"the server refers to others for parts of {where.base}, and they are never asked"
        yield Check(f"{prefix}referral", Verdict.WARNING, message, remedy)


def _foreign(name: str) -> str:
    """Return what is to be known of a name with a realm or domain."""
    return " Only those in `realms` and `domains` are taken off a name." if "@" in name or "\\" in name else ""
