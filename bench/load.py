"""Owns the load: honest logins over UDP, built before the clock starts, each reply verified.

A process of its own, so that its work is not counted as the server's, and a cheap one (about 20 us a login), since it
shares the machine with what it measures. Standard library only.

    python -m bench.load < ORDER.json        prints one JSON object

An order holds `port` and `secret` of a server on 127.0.0.1; `logins`, a list of [name, password with its code]; and
either `window`, the number of logins in flight (a closed loop: the next leaves when one is answered), or `rate`, the
logins a second that leave whether or not the earlier ones were answered (an open loop). `repeats` says how often a
login is sent again, octet for octet, when it stays unanswered for `patience` seconds; after the last it is lost.
"""

import hashlib
import hmac
import json
import os
import select
import socket
import struct
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass

ACCESS_REQUEST, ACCESS_ACCEPT, STATUS_SERVER = 1, 2, 12
USER_NAME, USER_PASSWORD, NAS_IP_ADDRESS, NAS_PORT, MESSAGE_AUTHENTICATOR = 1, 2, 4, 5, 80
NAMES = {ACCESS_ACCEPT: "accept", 3: "reject", 11: "challenge"}
HEADER = 20  # octets: code, identifier, length, authenticator
IDENTIFIERS = 256
SOCKETS = 8  # 2048 identifiers, so that none is used twice while the first use is still in flight


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute (RFC 2865 section 5)."""
    return bytes((kind, len(value) + 2)) + value


def hidden(password: bytes, secret: bytes, authenticator: bytes) -> bytes:
    """Return the value of User-Password (RFC 2865 section 5.2)."""
    padded = password.ljust(-(-len(password) // 16) * 16 or 16, b"\0")
    blocks = [authenticator]
    for at in range(0, len(padded), 16):
        pad = hashlib.md5(secret + blocks[-1]).digest()  # noqa: S324 - the RFC's
        blocks.append(bytes(a ^ b for a, b in zip(padded[at : at + 16], pad, strict=True)))
    return b"".join(blocks[1:])


def packet(code: int, identifier: int, authenticator: bytes, body: bytes, secret: bytes | None) -> bytes:
    """Return a request; with a `secret`, a Message-Authenticator is its first attribute (RFC 3579 section 3.2)."""
    if secret is not None:
        body = attribute(MESSAGE_AUTHENTICATOR, bytes(16)) + body
    octets = struct.pack("!BBH", code, identifier, HEADER + len(body)) + authenticator + body
    if secret is None:
        return octets
    return octets[: HEADER + 2] + hmac.digest(secret, octets, "md5") + octets[HEADER + 18 :]


def access_request(identifier: int, name: bytes, password: bytes, secret: bytes, *, signed: bool) -> bytes:
    """Return an Access-Request as a gateway would send it."""
    authenticator = os.urandom(16)
    body = (
        attribute(USER_NAME, name)
        + attribute(USER_PASSWORD, hidden(password, secret, authenticator))
        + attribute(NAS_IP_ADDRESS, b"\x7f\0\0\1")
        + attribute(NAS_PORT, struct.pack("!I", identifier))
    )
    return packet(ACCESS_REQUEST, identifier, authenticator, body, secret if signed else None)


def genuine(reply: bytes, request: bytes, secret: bytes) -> bool:
    """Tell whether the Response Authenticator is right (RFC 2865 section 3)."""
    digest = hashlib.md5(reply[:4] + request[4:HEADER] + reply[HEADER:] + secret).digest()  # noqa: S324 - the RFC's
    return digest == reply[4:HEADER]


def connected(port: int) -> socket.socket:
    """Return a socket that talks to a port of 127.0.0.1."""
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    end.connect(("127.0.0.1", port))
    end.settimeout(0)
    return end


@dataclass(slots=True)
class Login:
    """One login on its way. `due` is when it should have left, `left` when it last did (both `perf_counter`)."""

    socket: socket.socket
    octets: bytes
    key: tuple[socket.socket, int]  # what its reply is known by: the socket and the identifier
    due: float = 0.0
    left: float = 0.0
    repeats: int = 0


class Drive:
    """One order being carried out: what waits, what is in flight, what came of it."""

    def __init__(self, order: dict) -> None:
        """Build every octet that will be sent and open the sockets."""
        self.secret = order["secret"].encode()
        self.patience, self.repeats = order.get("patience", 5.0), order.get("repeats", 0)
        self.sockets = [connected(order["port"]) for _ in range(SOCKETS)]
        self.waiting = deque(self._login(n, *login) for n, login in enumerate(order["logins"]))
        self.flight: dict[tuple[socket.socket, int], Login] = {}
        self.latencies: list[float] = []
        self.count: Counter[str] = Counter()
        self.sent = 0

    def _login(self, number: int, name: str, password: str) -> Login:
        end, identifier = self.sockets[number % SOCKETS], number // SOCKETS % IDENTIFIERS
        octets = access_request(identifier, name.encode(), password.encode(), self.secret, signed=True)
        return Login(end, octets, (end, identifier))

    def run(self, window: int | None, rate: float | None) -> float:
        """Send everything, wait for every answer, and return the seconds that it took."""
        start = swept = now = time.perf_counter()
        while self.flight or self.waiting:
            if rate is None:
                pause = 0.1
                while len(self.flight) < (window or 1) and self._may_send():
                    self._send(now)
            else:
                while (due := start + self.sent / rate) <= now and self._may_send():
                    self._send(due)
                pause = min(0.1, max(0.0, due - now)) if self.waiting else 0.1
            # Its time-out is finer than epoll's millisecond, and eight sockets are few.
            for end in select.select(self.sockets, (), (), pause)[0]:
                self._receive(end)
            now = time.perf_counter()
            if now - swept > 0.1:  # noqa: PLR2004 - often enough for a patience of seconds
                swept = now
                self._chase(now)
        return time.perf_counter() - start

    def _may_send(self) -> bool:
        return bool(self.waiting) and self.waiting[0].key not in self.flight

    def _send(self, due: float) -> None:
        login = self.waiting.popleft()
        login.due, login.left = due, time.perf_counter()
        self.flight[login.key] = login
        self.sent += 1
        self._write(login)

    def _write(self, login: Login) -> None:
        try:
            login.socket.send(login.octets)
        except OSError:  # a closed port, told by ICMP; the login is chased like a lost one
            self.count["send errors"] += 1

    def _receive(self, end: socket.socket) -> None:
        try:
            reply = end.recv(4096)
        except OSError:  # an ICMP error
            return
        login = self.flight.pop((end, reply[1]), None) if len(reply) >= HEADER else None
        if login is None:
            self.count["stray"] += 1
            return
        self.latencies.append(time.perf_counter() - login.due)
        self.count["answered"] += 1
        self.count["answered at once"] += login.repeats == 0
        self.count[NAMES.get(reply[0], "other") if genuine(reply, login.octets, self.secret) else "forged"] += 1

    def _chase(self, now: float) -> None:
        for login in [login for login in self.flight.values() if now - login.left > self.patience]:
            if login.repeats >= self.repeats:
                del self.flight[login.key]
                self.count["lost"] += 1
            else:
                login.repeats += 1
                login.left = now
                self._write(login)


def percentile(ordered: list[float], share: float) -> float | None:
    """Return the value below which `share` of the ordered values lie, in milliseconds."""
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else None


def carry_out(order: dict) -> dict:
    """Do what the order says and return the figures."""
    drive = Drive(order)
    worked = time.process_time()
    seconds = drive.run(order.get("window"), order.get("rate"))
    worked = time.process_time() - worked
    ordered = sorted(drive.latencies)
    counts = ("answered", "answered at once", "accept", "reject", "challenge", "forged", "lost", "stray", "send errors")
    return {
        "sent": drive.sent,
        **{name: drive.count[name] for name in counts},
        "seconds": round(seconds, 3),
        "per_second": round(drive.count["answered"] / seconds, 1),
        "p50_ms": percentile(ordered, 0.5),
        "p99_ms": percentile(ordered, 0.99),
        "max_ms": percentile(ordered, 1.0),
        "generator_us": round(1e6 * worked / max(1, drive.sent), 1),
    }


if __name__ == "__main__":
    print(json.dumps(carry_out(json.load(sys.stdin))))
