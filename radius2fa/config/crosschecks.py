"""Owns the checks that look at several keys at once, and the doubts about a configuration that is valid."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal
from urllib.parse import urlsplit

from radius2fa.config import directories, policies, portals, texts, transport, watching
from radius2fa.config.faults import Finding, Key, written
from radius2fa.config.model import (
    Client,
    Directory,
    Listen,
    Lockout,
    Log,
    Metrics,
    Network,
    Policy,
    Portal,
    Server,
    Store,
    Text,
)
from radius2fa.config.rules import listen_text

WEAK_SECRET = 12  # octets; RFC 2865 section 3 asks for 16
_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - to be compared with, not to be bound


@dataclass(frozen=True, slots=True)
class Parts:
    """The sections that are valid by themselves, with their places in the file; None for one that is not.

    `client_names` are all names of clients, those of invalid ones too; so are `directory_names`.
    """

    server: Server | None
    store: Store | None
    lockout: Lockout | None
    portal: Portal | None
    text: dict[str, Text] | None
    log: Log | None
    metrics: Metrics | None
    directories: dict[int, Directory]
    clients: dict[int, Client]
    policies: dict[int, Policy]
    client_names: frozenset[str]
    directory_names: frozenset[str]


def faults(parts: Parts) -> Iterator[Finding]:
    """Yield what makes the file unusable although each key is right by itself."""
    yield from _same_names("directory", parts.directories)
    yield from _same_names("client", parts.clients)
    yield from _same_names("policy", parts.policies)
    yield from _same_networks(parts.clients)
    for place, client in parts.clients.items():
        yield from _client(("client", place), client)
    yield from policies.faults(parts.policies, parts.client_names)
    yield from directories.faults(parts.directories, parts.clients, parts.directory_names)
    for place, directory in parts.directories.items():
        yield from transport.faults(("directory", place), directory)
    if parts.server:
        yield from _listeners(parts.server)
        yield from _dictionaries(parts.server)
    if parts.server and parts.portal and parts.text is not None:
        yield from texts.faults(parts.clients, parts.server, parts.text, parts.portal)
    if parts.portal:
        yield from portals.faults(parts.portal, parts.clients)
    if parts.store:
        yield from _store(parts.store)
    if parts.lockout:
        yield from _lockout(parts.lockout)
    if parts.log:
        yield from watching.faults_of_log(parts.log)
    if parts.metrics:
        yield from watching.faults_of_metrics(parts.metrics)
    yield from _deadlines(parts)


def warnings(parts: Parts, now: float) -> Iterator[Finding]:
    """Yield what works and is unwise. `now` is in Unix seconds."""
    if parts.directories:
        bases = dict.fromkeys(each.group_base or each.base for each in parts.directories.values())
        yield from policies.warnings(parts.policies, now, bases)
        if parts.portal:
            yield from policies.elsewhere(("portal",), portals.groups_of(parts.portal), bases)
    for place, client in parts.clients.items():
        yield from _doubts_of_client(("client", place), client)
    if parts.portal:
        yield from portals.warnings(parts.portal, now)
    if parts.log and parts.log.syslog:
        yield from watching.doubts_of_syslog(parts.log.syslog)
    yield from directories.warnings(parts.directories, parts.clients)
    for place, directory in parts.directories.items():
        yield from transport.warnings(("directory", place), directory)


def _same_names(
    section: Literal["directory", "client", "policy"],
    items: dict[int, Directory] | dict[int, Client] | dict[int, Policy],
) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for place, item in items.items():
        if item.name in first:
            earlier = written((section, first[item.name]))
            yield Finding((section, place, "name"), f"{item.name!r} is the name of {earlier} too", "Choose another.")
        first.setdefault(item.name, place)


def _same_networks(clients: dict[int, Client]) -> Iterator[Finding]:
    first: dict[Network, str] = {}
    for place, client in clients.items():
        for address in client.addresses:
            if address in first:
                yield Finding(
                    ("client", place, "addresses"),
                    f"{address} belongs to {first[address]!r} already",
                    "Take it out of one of the two: the source address alone tells which secret counts.",
                )
            first.setdefault(address, client.name)


def _client(key: Key, client: Client) -> Iterator[Finding]:
    unsigned = not client.require_message_authenticator
    if unsigned and client.limit_proxy_state is False and not client.insecure_unsigned_proxy_state:
        yield Finding(
            (*key, "limit_proxy_state"),
            "without Message-Authenticator and without a limit on Proxy-State, replies can be forged (CVE-2024-3596)",
            "Take one of the two keys out; or, if you must, add insecure_unsigned_proxy_state = true.",
        )


def _listeners(server: Server) -> Iterator[Finding]:
    named = (("listen", server.listen), ("accounting_listen", server.accounting_listen))
    addresses = [(("server", name, place), each) for name, several in named for place, each in enumerate(several)]
    for (earlier, one), (key, other) in combinations(addresses, 2):
        if _overlap(one, other):
            first, second = (listen_text(each.host, each.port) for each in (one, other))
            yield Finding(
                key,
                f"{second} overlaps with {first} in {written(earlier)}",
                "Take one of the two out, or give it another port: 1812 is that of logins, 1813 that of accounting.",
            )


def _overlap(one: Listen, other: Listen) -> bool:
    """Tell whether one socket keeps the other from being bound. A port 0 is another each time.

    The wildcards overlap with all of their family, and with nothing of the other one.
    """
    if one.port != other.port or not one.port or (":" in one.host) != (":" in other.host):
        return False
    return one.host == other.host or bool({one.host, other.host} & _WILDCARDS)


def _dictionaries(server: Server) -> Iterator[Finding]:
    for place, path in enumerate(server.dictionaries):
        if not path.is_file():
            remedy = "Give a file of RADIUS attributes, as FreeRADIUS has them."
            yield Finding(("server", "dictionaries", place), f"there is no file {path}", remedy)


def _store(store: Store) -> Iterator[Finding]:
    if store.url.startswith("sqlite:"):
        if not urlsplit(store.url).path.startswith("//"):
            yield Finding(
                ("store", "url"),
                "must hold the absolute path of a file",
                "Write four slashes: sqlite:////var/lib/radius2fa/radius2fa.db.",
            )
        if store.password is not None:
            yield Finding(("store", "password"), "SQLite has no passwords", "Take it out.")


def _lockout(lockout: Lockout) -> Iterator[Finding]:
    if lockout.lock_after < lockout.failures:
        yield Finding(("lockout", "lock_after"), f"must be at least failures ({lockout.failures})", "Raise it.")
    if lockout.longest_delay < lockout.delay:
        yield Finding(("lockout", "longest_delay"), f"must be at least delay ({lockout.delay:g} s)", "Raise it.")


def _deadlines(parts: Parts) -> Iterator[Finding]:
    """One slow answer of each backend must fit into what a client waits, or it has gone to another server meanwhile."""
    if parts.server is None or parts.store is None:
        return
    for place, directory in parts.directories.items():
        longest = directory.connect_timeout + directory.timeout + parts.store.timeout
        if longest > parts.server.patience:
            yield Finding(
                ("directory", place, "timeout"),
                f"connect_timeout + timeout + store.timeout = {longest:g} s is more than server.patience, "
                f"{parts.server.patience:g} s",
                "Lower one of them; or raise patience, if every client waits longer than that.",
            )


def _doubts_of_client(key: Key, client: Client) -> Iterator[Finding]:
    octets = len(client.secret.get_secret_value())
    if octets <= WEAK_SECRET:
        yield Finding(
            (*key, "secret"),
            f"the shared secret of {client.name!r} has {octets} octets and can be guessed from one captured packet",
            "Use 24 random octets on both sides: openssl rand -base64 24",
        )
    if client.insecure_unsigned_proxy_state and not client.require_message_authenticator:
        yield Finding(
            (*key, "insecure_unsigned_proxy_state"),
            f"replies to {client.name!r} can be forged by whoever is on the path (CVE-2024-3596)",
            "Update the client, then take this key out.",
        )
