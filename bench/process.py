"""Owns the processes that the benchmark starts and looks at: their start, their cost, their end."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.load import ACCESS_ACCEPT, STATUS_SERVER, genuine, packet

ROOT = Path(__file__).parent.parent
START_SECONDS = 30  # how long a server may take before the run is given up
STOP_SECONDS = 10


@contextlib.contextmanager
def running(command: list[str | Path], log: Path) -> Iterator[int]:
    """Run a server as long as the block lasts, its output going to the file `log`, and give its process id."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def beside(module: str, *arguments: str, order: dict | None = None) -> subprocess.Popen:
    """Start one of our own small programs, its order on standard input."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    if order is not None:
        process.stdin.write(json.dumps(order).encode())
    process.stdin.close()
    return process


def figures(process: subprocess.Popen) -> dict:
    """Wait for such a program and return what it printed. It is ended if the wait is broken off."""
    try:
        with process.stdout:
            printed = process.stdout.read()
        if process.wait() != 0:
            raise RuntimeError(f"{process.args} ended with status {process.returncode}")
        return json.loads(printed)
    finally:
        process.kill()
        process.wait()


def cpu(pid: int) -> float:
    """Return the CPU seconds (utime and stime, all threads) that a process has used.

    /proc/PID/stat counts them in hundredths; its CPU clock counts the same in nanoseconds. The number of that clock
    is the kernel's: the process id, inverted, and the kind (clock_getcpuclockid(3), CPUCLOCK_SCHED = 2).
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident(pid: int) -> float:
    """Return the resident memory of a process in megabytes (10**6 octets)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def overrun(port: int) -> int:
    """Return how many datagrams the kernel has thrown away because the socket on this UDP port was not read in time."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if row[1].endswith(f":{port:04X}"))


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a port on 127.0.0.1 that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


def wait_until_ready(pid: int, port: int, secret: str, log: Path) -> None:
    """Ask with Status-Server (RFC 5997) every 5 ms until the server answers.

    Raises:
        RuntimeError: it did not within START_SECONDS, or has ended; with the end of its log.

    """
    end = time.monotonic() + START_SECONDS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.connect(("127.0.0.1", port))
        request = packet(STATUS_SERVER, 0, os.urandom(16), b"", secret.encode())
        while time.monotonic() < end and Path(f"/proc/{pid}/statm").read_text().strip() != "0 0 0 0 0 0 0":
            with contextlib.suppress(OSError):  # ICMP: nobody listens yet
                asker.send(request)
                if not select.select([asker], [], [], 0.005)[0]:
                    continue
                reply = asker.recv(4096)
                if reply[0] == ACCESS_ACCEPT and genuine(reply, request, secret.encode()):
                    return
            time.sleep(0.005)
    raise RuntimeError(f"No answer to Status-Server on port {port}. Its log ends:\n{log.read_text()[-2000:]}")


def wait_until_listening(port: int, log: Path) -> None:
    """Connect by TCP every 20 ms until somebody answers.

    Raises:
        RuntimeError: nobody did within START_SECONDS; with the end of the log.

    """
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"Nobody listens on port {port}. The log ends:\n{log.read_text()[-2000:]}")
