"""Owns what the directory asks of a library that speaks LDAP: connections, each used by one thread at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.terms import Found, Result, Search
from radius2fa.directory.tls import Tls

# Firewalls and servers drop connections that nobody uses, often without a word; opening one takes milliseconds.
LONGEST_IDLE = 60.0  # seconds

# The longest answer to what a login asks (a few attributes of two entries, or the DNs of a thousand groups) is below; a
# server may not fill our memory.
LONGEST_ANSWER = 1 << 20  # octets


class Broken(Exception):  # noqa: N818 - named by what it says of the connection
    """The connection is of no more use. `sent` tells that the server may have got the request."""

    def __init__(self, cause: str, *, sent: bool, late: bool = False) -> None:
        """Say what happened; `late` tells that it was the time-out."""
        super().__init__(cause)
        self.cause = cause
        self.sent = sent
        self.late = late


@dataclass(frozen=True, slots=True)
class Dialling:
    """How connections are opened. Time-outs are seconds, `longest_answer` octets; `clock` gives monotonic seconds."""

    tls: Tls
    start_tls: bool
    connect_timeout: float
    timeout: float
    clock: Callable[[], float]
    longest_answer: int = LONGEST_ANSWER


class Connection(Protocol):
    """One connection, used by one thread at a time. After Broken it can only be closed.

    Every method ends before its `deadline` (monotonic seconds) and within the time-out of its Dialling. Referrals and
    references are never followed.
    """

    def secure(self, endpoint: Endpoint, deadline: float) -> None:
        """Begin TLS as the configuration says, at once or by StartTLS; there is no going on without.

        Raises:
            Broken: when there is no TLS, or the server does not prove who it is. Nothing else has been sent.

        """
        ...

    def certificate(self) -> bytes | None:
        """Return the server's certificate (DER), None without TLS."""
        ...

    def bind(self, dn: str, password: bytes, deadline: float) -> Result:
        """Exchange one simple bind for its result.

        Raises:
            Broken: when there is none.

        """
        ...

    def bind_external(self, deadline: float) -> Result:
        """Bind as whom the transport knows us: by our certificate, or the socket's peer (RFC 4422 appendix A).

        Raises:
            Broken: when there is no result.

        """
        ...

    def search(self, search: Search, deadline: float) -> tuple[list[Found], Result]:
        """Exchange one search for the entries that were found, and the result.

        Raises:
            Broken: when there is no result.

        """
        ...

    def usable(self) -> bool:
        """Tell whether it may serve again: used within LONGEST_IDLE, and silent since."""
        ...

    def close(self) -> None:
        """Take leave, as far as that needs no waiting, and close."""
        ...


class Driver(Protocol):
    """A library that opens connections under the settings of one directory."""

    def connect(self, endpoint: Endpoint, deadline: float) -> Connection:
        """Connect to the first of the server's addresses that answers; nothing is sent yet.

        Raises:
            Broken: when none does before `deadline`.

        """
        ...


def dial(driver: Driver, endpoint: Endpoint, deadline: float) -> Connection:
    """Open a connection to a server, under TLS unless the configuration wants none.

    Raises:
        Broken: when that cannot be done before `deadline`; nothing but StartTLS has been sent then.

    """
    connection = driver.connect(endpoint, deadline)
    try:
        connection.secure(endpoint, deadline)
    except Broken:
        connection.close()
        raise
    return connection
