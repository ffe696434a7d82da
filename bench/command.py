"""Runs a command of the program to its end, and tells what it took.

    python -m bench.command PROGRAM ARGUMENTS        prints one JSON object

A small process of its own, since the kernel counts the memory of whoever starts a program as the program's. Standard
library only.
"""

import json
import os
import subprocess
import sys
import time


def run(command: list[str]) -> dict:
    """Return the seconds from start to end, those of CPU, and the most resident memory (10**6 octets).

    Raises:
        RuntimeError: the command failed.

    """
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "resident_mb": round(used.ru_maxrss * 1024 / 1e6, 1),  # kilobytes on Linux
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1:])))
