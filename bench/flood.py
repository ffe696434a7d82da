"""Owns the flood: datagrams that deserve no answer, at a steady rate, for a bounded time, on loopback only.

    python -m bench.flood PORT RATE SECONDS      prints how many datagrams left, and how many a second that was

Half come from 127.0.0.1, which the server knows as a client, half from 127.0.0.2, which it does not. From each, half
are random octets and half are Access-Requests without a Message-Authenticator. A process of its own.
"""

import argparse
import json
import os
import random
import socket
import time

from bench.load import access_request

LIMIT_RATE, LIMIT_SECONDS = 50_000, 60  # whatever is asked for
TICK = 0.001  # seconds between bursts: at 20,000 a second, 20 datagrams each
VARIETY = 512  # different datagrams of each kind


def garbage() -> bytes:
    """Return random octets of a random length."""
    return os.urandom(random.randint(1, 200))  # noqa: S311 - no secret


def unsigned(number: int) -> bytes:
    """Return an Access-Request without a Message-Authenticator, hidden under a secret that nobody has."""
    return access_request(number % 256, b"u%05d" % number, b"no password 000000", os.urandom(16), signed=False)


def sender(address: str, port: int) -> socket.socket:
    """Return a socket that sends from `address` on loopback."""
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind((address, 0))
    end.connect(("127.0.0.1", port))
    return end


def pour(port: int, rate: int, seconds: float) -> dict:
    """Send `rate` datagrams a second for `seconds`, and return what was reached."""
    ends = [sender("127.0.0.1", port), sender("127.0.0.2", port)]
    octets = [make for number in range(VARIETY) for make in (garbage(), unsigned(number))]
    sent, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for number in range(sent, int(elapsed * rate)):
            try:
                # The number's lowest bit chooses the source, the next one the kind.
                ends[number % 2].send(octets[number // 2 % len(octets)])
            except OSError:  # a closed port, told by ICMP: the next one may find it open
                continue
        sent = int(elapsed * rate)
        time.sleep(TICK)
    return {"sent": sent, "per_second": round(sent / (time.perf_counter() - start))}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("rate", type=int)
    arguments.add_argument("seconds", type=float)
    given = arguments.parse_args()
    print(json.dumps(pour(given.port, min(given.rate, LIMIT_RATE), min(given.seconds, LIMIT_SECONDS))), flush=True)
