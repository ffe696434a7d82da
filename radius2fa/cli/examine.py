"""Owns what `radius2fa check` tries beyond the configuration: key, database, directories, portal, addresses, clock."""

import ctypes
import errno
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from radius2fa.cli.examine_directory import directories
from radius2fa.cli.examine_portal import portal
from radius2fa.cli.verdict import Check, Verdict
from radius2fa.config.model import Listen, Settings
from radius2fa.config.rules import ACCOUNTING_PORT, RADIUS_PORT, listen_text
from radius2fa.config.web import PORTAL_PORT
from radius2fa.login.ports import Unavailable
from radius2fa.store.engine import BadUrl, SchemaTooNew, SchemaTooOld, open_store
from radius2fa.store.seal import BadKeyFile, KeyRing

_EARLIEST = 1_767_225_600  # 2026-01-01: a clock before that has not been set


def everything(settings: Settings) -> Iterator[Check]:
    """Yield every live check, one after the other as they are done."""
    yield from database(settings)
    yield from directories(settings)
    for listen in settings.server.listen:
        yield address(listen)
    for listen in settings.server.accounting_listen:
        yield address(listen, ACCOUNTING)
    if settings.portal.url is not None:
        yield from portal(settings.portal, time.time())
        for listen in settings.portal.listen:
            yield address(listen, PAGES)
    yield clock(time.time(), kernel_synchronised())


def database(settings: Settings) -> Iterator[Check]:
    """Look at the master key, then at the database with it."""
    key_file = settings.store.key_file
    try:
        keys = KeyRing.read(key_file)
    except BadKeyFile as wrong:
        yield Check("master key", Verdict.FAULT, str(wrong), "Without it no token can be verified.")
        return
    yield Check("master key", Verdict.OK, str(key_file))
    try:
        store = open_store(settings.store, keys, threads=1, clock=time.monotonic, random=os.urandom)
    except (BadUrl, SchemaTooOld, SchemaTooNew, BadKeyFile) as wrong:
        yield Check("database", Verdict.FAULT, str(wrong), "Logins are refused until then.")
    except Unavailable as broken:
        yield Check("database", Verdict.UNAVAILABLE, broken.cause, "See store.url, and whether the database runs.")
    else:
        store.close()
        yield Check("database", Verdict.OK, f"{settings.store.url}, tables up to date")


@dataclass(frozen=True, slots=True)
class Purpose:
    """What addresses are listened on for: how, by which key of the configuration, and the port that needs no privilege.

    `tables` are the kernel's, in /proc/net.
    """

    kind: socket.SocketKind
    tables: tuple[str, str]
    subject: str
    key: str
    port: int


RADIUS = Purpose(socket.SOCK_DGRAM, ("udp", "udp6"), "listen", "server.listen", RADIUS_PORT)
ACCOUNTING = Purpose(
    socket.SOCK_DGRAM, ("udp", "udp6"), "accounting listen", "server.accounting_listen", ACCOUNTING_PORT
)
PAGES = Purpose(socket.SOCK_STREAM, ("tcp", "tcp6"), "portal listen", "portal.listen", PORTAL_PORT)


def address(listen: Listen, purpose: Purpose = RADIUS) -> Check:
    """Find out whether the address can be listened on."""
    six = ":" in listen.host
    subject = f"{purpose.subject} {listen_text(listen.host, listen.port)}"
    try:
        with socket.socket(socket.AF_INET6 if six else socket.AF_INET, purpose.kind) as probe:
            if purpose.kind is socket.SOCK_STREAM:  # or connections that have just ended would be in the way
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if six:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((listen.host, listen.port))
    except OSError as wrong:
        return unbound(subject, wrong, lambda: holder(listen.port, tables=purpose.tables), purpose)
    return Check(subject, Verdict.OK, "free")


def unbound(subject: str, wrong: OSError, find_holder: Callable[[], str], purpose: Purpose = RADIUS) -> Check:
    """Say why an address cannot be listened on."""
    match wrong.errno:
        case errno.EADDRINUSE:
            return _taken(subject, find_holder(), purpose)
        case errno.EADDRNOTAVAIL:
            return Check(subject, Verdict.FAULT, "this machine does not have the address", "See `ip address`.")
        case errno.EACCES:
            return Check(subject, Verdict.FAULT, "ports below 1024 need a privilege", f"Use port {purpose.port}.")
        case errno.EAFNOSUPPORT:
            remedy = f"Take the address out of {purpose.key}."
            return Check(subject, Verdict.FAULT, "this machine has no IPv6", remedy)
        case _:
            return Check(subject, Verdict.FAULT, str(wrong.strerror), f"Correct {purpose.key}.")


def _taken(subject: str, program: str, purpose: Purpose) -> Check:
    if _is_ours(program):
        return Check(subject, Verdict.OK, f"in use by {program}")
    if program.endswith("(process 1)"):
        return Check(subject, Verdict.WARNING, f"held by {program}", "Is it radius2fa.socket that holds it?")
    if program:
        remedy = f"Stop it, or choose another port in {purpose.key}."
        return Check(subject, Verdict.FAULT, f"taken by {program}", remedy)
    return Check(subject, Verdict.WARNING, "taken", "Is radius2fa running already? As root, check tells by whom.")


def holder(port: int, proc: Path = Path("/proc"), tables: tuple[str, str] = RADIUS.tables) -> str:
    """Return the command line and process id of who has the port, "" if that cannot be told.

    Of several it is our server: systemd has a port too that it has passed on.
    """
    links = {f"socket:[{inode}]" for inode in _inodes(port, proc, tables)}
    found = []
    for descriptor in proc.glob("[0-9]*/fd/*") if links else ():
        try:
            if str(descriptor.readlink()) in links:
                words = (descriptor.parents[1] / "cmdline").read_bytes().split(b"\0")
                shown = b" ".join(words[:3]).decode(errors="replace").strip()
                found.append(f"{shown} (process {descriptor.parents[1].name})")
        except OSError:
            continue  # another user's process, or one that has just ended
    return next(filter(_is_ours, found), next(iter(found), ""))


def _is_ours(program: str) -> bool:
    return any(word.rpartition("/")[2] == "radius2fa" for word in program.split())


def _inodes(port: int, proc: Path, tables: tuple[str, str]) -> Iterator[str]:
    for table in tables:
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def clock(now: float, synchronised: bool | None) -> Check:  # noqa: FBT001 - three answers, the third is "not known"
    """Judge the clock: codes are made of the time. `now` is in Unix seconds."""
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < _EARLIEST:
        return Check("clock", Verdict.FAULT, f"is not set: {shown}", "Set it, and install chrony or systemd-timesyncd.")
    if synchronised is False:
        remedy = "Install chrony or systemd-timesyncd, or codes will be refused as the clock drifts."
        return Check("clock", Verdict.WARNING, f"{shown}, not synchronised with a time server", remedy)
    return Check("clock", Verdict.OK, shown if synchronised is None else f"{shown}, synchronised")


class _Timex(ctypes.Structure):
    """The head of the kernel's struct timex (adjtimex(2)); the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def kernel_synchronised(adjtimex: Callable[[_Timex], int] | None = None) -> bool | None:
    """Tell whether the kernel knows its clock to be synchronised; None where it does not say."""
    try:
        ask = adjtimex or (lambda timex: ctypes.CDLL(None).adjtimex(ctypes.byref(timex)))
        state = ask(_Timex())  # modes 0: only read
    except (AttributeError, OSError):
        return None
    time_error = 5  # TIME_ERROR: "the system clock is not synchronized to a reliable server"
    return None if state < 0 else state != time_error
