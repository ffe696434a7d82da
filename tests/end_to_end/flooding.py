"""A flood for one test, on loopback only: garbage and unsigned requests, until standard input ends.

    python -m tests.end_to_end.flooding PORT

Comes half from a client of the server, half from an address that it does not know, at a bounded rate and for a bounded
time. Prints a line when it has begun, and at its end how many datagrams left and how many seconds that took.
"""

import os
import select
import socket
import sys
import time

from tests.radius.wire import access_request, attribute, packet

RATE = 3000  # datagrams a second
LONGEST = 20.0  # seconds, whatever happens
TICK = 0.005  # seconds between two bursts
SOURCES = ("127.0.0.1", "127.9.9.9")


def datagrams() -> list[bytes]:
    """Return what deserves no answer: noise, headers that lie, broken attributes, requests without a signature."""
    unsigned = [access_request(b"u%d" % n, b"x000000", identifier=n, signed=False).octets for n in range(64)]
    foreign = [access_request(b"u%d" % n, secret=b"another secret", identifier=n).octets for n in range(64)]
    noise = [os.urandom(1 + 7 * n) for n in range(64)]
    lies = [packet(1, n, os.urandom(16), b"\1\xff" + os.urandom(n)) for n in range(64)]
    long = [packet(1, n, os.urandom(16), attribute(26, os.urandom(200)) * 18) for n in range(64)]
    return [each for kinds in zip(unsigned, foreign, noise, lies, long, strict=True) for each in kinds]


def pour(port: int) -> int:
    """Send until standard input ends, and return how many."""
    sources = []
    for address in SOURCES:
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.bind((address, 0))
        end.connect(("127.0.0.1", port))
        sources.append(end)
    octets = datagrams()
    sent, began = 0, time.monotonic()
    while (elapsed := time.monotonic() - began) < LONGEST:
        for number in range(sent, int(elapsed * RATE)):
            sources[number % 2].send(octets[number // 2 % len(octets)])
        sent = int(elapsed * RATE)
        if select.select([sys.stdin], [], [], TICK)[0]:
            break
    return sent


if __name__ == "__main__":
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    start = time.monotonic()
    sys.stdout.write(f"{pour(int(sys.argv[1]))} {time.monotonic() - start}\n")
