"""The portal of the installed program, `radius2fa portal`, by HTTPS on a port of the loopback."""

import ssl
from collections.abc import Mapping
from http.client import HTTPResponse, HTTPSConnection
from typing import Self
from urllib.parse import urlencode, urlsplit

from tests.servers.program import LIMIT, Program, Section, Value
from tests.servers.slapd import free_port
from tests.servers.tls import Authority, Certificate


def portal_section(certificate: Certificate, **more: Value) -> Section:
    """`[portal]` with a port that is free now. Proxies on the loopback are trusted, so that each test has an address.

    Chromium can be told what X-Forwarded-For to send, and not what address to come from.
    """
    port = free_port()
    return {
        "url": f"https://localhost:{port}",
        "listen": [f"127.0.0.1:{port}"],
        "certificate": str(certificate.certificate),
        "key": str(certificate.key),
        "trusted_proxies": ["127.0.0.1"],
        **more,
    }


class Portal(Program):
    """The portal of a program that is configured already: the same file, the same database."""

    DAEMON = "portal"

    def __init__(self, program: Program, url: str, authority: Authority) -> None:
        super().__init__(program.folder, None)
        self.url = url
        self.authority = authority

    def caller(self, address: str = "") -> "Caller":
        """Return somebody who speaks HTTP themselves, from an address of their own."""
        return Caller(self.url, self.authority, address)


class Caller:
    """Who speaks HTTP without a browser: cookies are kept as they come, redirects are not followed.

    Use as a context manager. `address` is what a proxy tells of it, "" for nothing.
    """

    def __init__(self, url: str, authority: Authority, address: str) -> None:
        self.url = url
        self.cookies: dict[str, str] = {}
        self._address = address
        where = urlsplit(url)
        context = ssl.create_default_context(cafile=str(authority.ca_file))
        self._connection = HTTPSConnection(where.hostname or "", where.port, timeout=LIMIT, context=context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str, **headers: str) -> "Answer":
        """Fetch a page."""
        return self.ask("GET", path, None, headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> "Answer":
        """Send fields as a form does."""
        return self.ask("POST", path, fields, headers)

    def ask(self, method: str, path: str, fields: Mapping[str, str] | None, headers: Mapping[str, str]) -> "Answer":
        """Send a request; headers are named as keywords are, with _ for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        if self._address:
            sent.setdefault("X-Forwarded-For", self._address)
        if fields is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        self._connection.request(method, path, None if fields is None else urlencode(fields), sent)
        answer = Answer(self._connection.getresponse())
        for name, (value, attributes) in answer.cookies.items():
            if attributes.get("max-age") == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer


class Answer:
    """A response, read to its end."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.octets = response.read()

    @property
    def text(self) -> str:
        return self.octets.decode()

    @property
    def cookies(self) -> dict[str, tuple[str, dict[str, str]]]:
        """The cookies that it gives: value, and attributes by their names in small letters ("" for mere flags)."""
        found = {}
        for line in self.headers.get_all("Set-Cookie", []):
            (name, value), *attributes = (part.strip().partition("=")[::2] for part in line.split(";"))
            found[name] = value, {key.lower(): what for key, what in attributes}
        return found
