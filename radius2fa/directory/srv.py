"""Owns the question to DNS which servers a service has (RFC 2782).

Only here is dnspython imported, and not before there is a question: it takes 0.15 s and 5 MB.
"""
# ruff: noqa: PLC0415 - see above

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from radius2fa.directory.endpoint import Endpoint, Service

if TYPE_CHECKING:
    from dns.rdtypes.IN.SRV import SRV
    from dns.resolver import Resolver

# Records are believed for as long as DNS says, within bounds: a TTL of 0 must not make every login ask, and one of a
# week not keep servers that have been replaced.
LEAST_TTL = 30.0  # seconds
LONGEST_TTL = 3600.0
RETRY = 5.0  # seconds, after which DNS is asked again that has told of no server
# An answer has room for thousands of records, and each server that fails costs a login time and us a thread.
MOST_RECORDS = 64

# Active Directory registers its servers at their ports without TLS only. With TLS they are at these: the directory, and
# the global catalogue.
_PORTS_WITH_TLS = {"_ldap": 636, "_gc": 3269}
_USUAL_PORTS = {"ldap": 389, "ldaps": 636}
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")

Draw = Callable[[int], int]
"""From a number to an integer by chance, from 0 to below it, each as likely as the others: `secrets.randbelow`."""


@dataclass(frozen=True, slots=True)
class Nameservers:
    """Whom to ask: the addresses, or, where none are given, the nameservers of the system's resolv.conf."""

    addresses: tuple[str, ...] = ()
    port: int = 53


SYSTEM = Nameservers()


@dataclass(frozen=True, slots=True)
class Record:
    """An SRV record. `target` is in lower case and without the dot at its end; "" says that there is no server."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Told:
    """What DNS has told of the servers behind one URL.

    `endpoints` are in the order to ask them in. `passed_over` says which records are not used, and why. `fault` says
    why there is no server at all, and is "" where there is one. For `ttl` seconds DNS need not be asked again.
    """

    url: str
    endpoints: tuple[Endpoint, ...]
    passed_over: tuple[str, ...] = ()
    fault: str = ""
    ttl: float = RETRY


def ask(service: Service, nameservers: Nameservers, draw: Draw, lifetime: float) -> Told:
    """Ask DNS for the servers of a service, within about `lifetime` seconds. A failure is told, not raised.

    Whoever can forge an answer of DNS names no server outside the service's domain by it, and the certificate is
    checked against the name that is used. Of more than MOST_RECORDS records those of the lowest priorities count.
    """
    try:
        name, records, ttl = _first_records(service, nameservers, lifetime)
    except _Unanswered as fault:
        return Told(service.url, (), fault=f"DNS: {fault}")
    endpoints, passed_over = [], []
    best = sorted(records, key=lambda record: record.priority)[:MOST_RECORDS]
    if len(records) > MOST_RECORDS:
        more = len(records) - MOST_RECORDS
        passed_over.append(f"{name}: {more} more than the {MOST_RECORDS} records that count; ask for those of a site")
    for record in in_order(best, draw):
        objection = _objection(record, service.domain)
        if objection:
            passed_over.append(f"{name}: {objection}")
        else:
            endpoints.append(_endpoint(record, name, tls=service.tls))
    # One server may have several records, of which the best counts.
    kept = tuple(dict.fromkeys(endpoints))
    if kept:
        return Told(service.url, kept, tuple(passed_over), ttl=ttl)
    missing = "; ".join(passed_over) or f"DNS has no SRV records of {' or '.join(service.names)}"
    return Told(service.url, (), tuple(passed_over), missing)


def in_order(records: Iterable[Record], draw: Draw) -> list[Record]:
    """Return the records in an order to ask their servers in.

    The lowest priority comes first. Within one priority each next record is drawn, the more likely the greater its
    weight is (RFC 2782, "Weight").
    """
    left = sorted(records, key=lambda record: (record.priority, record.weight))  # weight 0 stands first, as it says
    ordered = []
    while left:
        rivals = [record for record in left if record.priority == left[0].priority]
        chosen = _drawn(rivals, draw)
        left.remove(chosen)
        ordered.append(chosen)
    return ordered


def _drawn(rivals: list[Record], draw: Draw) -> Record:
    """Return the first record at which the sum of the weights so far reaches a number by chance."""
    weights = [record.weight for record in rivals]
    number = draw(sum(weights) + 1)
    return next(record for record, reached in zip(rivals, accumulate(weights), strict=True) if reached >= number)


def _first_records(
    service: Service, nameservers: Nameservers, lifetime: float
) -> tuple[str, tuple[Record, ...], float]:
    """Return the first name that has records, with them and their TTL; the last name, where none has any."""
    for name in service.names:
        records, ttl = _records(name, nameservers, lifetime / len(service.names))
        if records:
            return name, records, ttl
    return service.names[-1], (), RETRY


class _Unanswered(Exception):  # noqa: N818 - what happened to the question
    """No nameserver says whether there are records; the text says why."""


def _records(name: str, nameservers: Nameservers, lifetime: float) -> tuple[tuple[Record, ...], float]:
    """Return the records of a name, and for how many seconds they hold. A truncated answer is asked for again by TCP.

    Raises:
        _Unanswered: as it says.

    """
    from dns.exception import DNSException, Timeout
    from dns.name import from_text
    from dns.resolver import NXDOMAIN, NoAnswer, NoNameservers

    try:
        resolver = _resolver(nameservers)
        resolver.timeout = lifetime / max(len(resolver.nameservers), 1)  # a dead one leaves time for the others
        answer = resolver.resolve(from_text(name), "SRV", lifetime=lifetime)
    except (NXDOMAIN, NoAnswer):
        return (), RETRY
    except Timeout as fault:
        raise _Unanswered("no answer in time") from fault
    except NoNameservers as fault:
        said = "; ".join(f"{server} says {error}" for server, _, _, error, _ in fault.kwargs["errors"])
        raise _Unanswered(said) from fault
    except (DNSException, ValueError) as fault:  # ValueError: a nameserver in resolv.conf that is no address
        raise _Unanswered(str(fault)) from fault
    ttl = answer.chaining_result.minimum_ttl
    return tuple(map(_record, answer)), min(max(ttl, LEAST_TTL), LONGEST_TTL)


def _resolver(nameservers: Nameservers) -> "Resolver":
    """Return one that knows today's resolv.conf, which may change while we run."""
    from dns.resolver import Resolver

    if not nameservers.addresses:
        return Resolver()
    resolver = Resolver(configure=False)
    resolver.nameservers = list(nameservers.addresses)
    resolver.port = nameservers.port
    return resolver


def _record(read: "SRV") -> Record:
    return Record(read.priority, read.weight, read.port, read.target.to_text(omit_final_dot=True).lower().strip("."))


def _objection(record: Record, domain: str) -> str:
    """Return why a record is not used, "" if it is."""
    if not record.target:
        return 'the target "." says that the service is not offered'
    if not _HOST.fullmatch(record.target) or not record.port:
        return f"{record.target} is no name of a host, or has port 0"
    if record.target != domain and not record.target.endswith(f".{domain}"):
        return f"{record.target} is not within {domain}, and an answer of DNS can be forged"
    return ""


def _endpoint(record: Record, name: str, *, tls: bool) -> Endpoint:
    port = _PORTS_WITH_TLS.get(name.partition(".")[0], record.port) if tls else record.port
    scheme = "ldaps" if tls else "ldap"
    url = f"{scheme}://{record.target}" + ("" if port == _USUAL_PORTS[scheme] else f":{port}")
    return Endpoint(url, record.target, port, tls)
