"""Owns the load on the portal: people who have signed in and look at their pages, at a steady rate.

A process of its own, so that its work is not counted as the portal's. Standard library only.

    python -m bench.browsing < ORDER.json        prints one JSON object

An order holds `port` of a portal on 127.0.0.1 that speaks plain HTTP; `people`, a list of [name, password, code], who
sign in before the clock starts, and then have some windows open each; `paths`, which they ask for by turns; `rate`, the
pages a second that are asked for whether or not the earlier ones have come; and `seconds`.
"""

import http.client
import json
import queue
import re
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlencode

from bench.load import percentile

_FORM = re.compile(r'name="form" value="([0-9a-f]{64})"')
_PATIENCE = 10  # seconds
WINDOWS = 3


class Browser:
    """One person at one connection that is kept open."""

    def __init__(self, port: int) -> None:
        """Open nothing yet."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        self._cookies: dict[str, str] = {}

    def another(self) -> "Browser":
        """Return another window of it, with a connection of its own."""
        window = Browser(self._connection.port)
        window._cookies = self._cookies
        return window

    def sign_in(self, name: str, password: str, code: str) -> None:
        """Type name, password and code, as the pages ask for them."""
        self.type_password(name, password)
        form = self._form_of("/signin/code")
        if self._post("/signin/code", {"form": form, "code": code}) != 303:  # noqa: PLR2004 - See Other
            raise RuntimeError(f"{name} was not let in")

    def type_password(self, name: str, password: str) -> None:
        """Type name and password, which are enough for who has still to enrol."""
        form = self._form_of("/signin")
        self._post("/signin", {"form": form, "name": name, "password": password})

    def first_octet(self, path: str) -> tuple[float, int, int]:
        """Ask for a page; return the seconds to the first octet of its answer, its status, and how long the page is."""
        start = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers())
        answer = self._connection.getresponse()
        seconds = time.perf_counter() - start
        return seconds, answer.status, len(answer.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _form_of(self, path: str) -> str:
        self._connection.request("GET", path, headers=self._headers())
        found = _FORM.search(self._answer()[1].decode())
        if found is None:
            raise RuntimeError(f"{path} has no form")
        return found[1]

    def _post(self, path: str, fields: dict[str, str]) -> int:
        headers = self._headers() | {"Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", path, urlencode(fields), headers)
        return self._answer()[0]

    def _answer(self) -> tuple[int, bytes]:
        answer = self._connection.getresponse()
        for cookie in answer.msg.get_all("Set-Cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer.status, answer.read()

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}


def carry_out(order: dict) -> dict:
    """Do what the order says and return the figures."""
    browsers = []
    for name, password, code in order["people"]:
        first = Browser(order["port"])
        first.sign_in(name, password, code)
        browsers += [first, *(first.another() for _ in range(WINDOWS - 1))]
    due: queue.Queue[tuple[float, str] | None] = queue.Queue()
    seconds: list[float] = []
    statuses: Counter[int] = Counter()

    def browse(browser: Browser) -> None:
        while (each := due.get()) is not None:
            late = max(0.0, time.perf_counter() - each[0])  # a page waits for a free browser: that counts, too
            taken, status, _ = browser.first_octet(each[1])
            seconds.append(late + taken)
            statuses[status] += 1

    threads = [threading.Thread(target=browse, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    start = time.perf_counter()
    for number in range(round(order["rate"] * order["seconds"])):
        at = start + number / order["rate"]
        time.sleep(max(0.0, at - time.perf_counter()))
        due.put((at, order["paths"][number % len(order["paths"])]))
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    for browser in browsers:
        browser.close()
    ordered = sorted(seconds)
    return {
        "pages": len(ordered),
        "statuses": dict(statuses),
        "p50_ms": percentile(ordered, 0.5),
        "p95_ms": percentile(ordered, 0.95),
        "max_ms": percentile(ordered, 1.0),
    }


if __name__ == "__main__":
    print(json.dumps(carry_out(json.load(sys.stdin))))
