"""Owns the bind of the service account, which looks names up."""

import math
from collections.abc import Callable

from radius2fa.config.model import Directory
from radius2fa.directory.diagnosis import SUCCESS, verdict_of
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import Broken, Connection, Driver, dial
from radius2fa.directory.terms import Result
from radius2fa.login.ports import BindResult, Unavailable

# A service account whose password was changed must not be locked by us as well, before anybody can correct it here.
REST = 10.0  # seconds


class ServiceAccount:
    """The account, or nobody: without a `bind_dn` the directory is searched anonymously.

    With the bind method "external" it is whoever the transport knows us as, by our certificate or the socket's peer:
    DN and password are of no use then.
    """

    def __init__(self, settings: Directory, clock: Callable[[], float], rest: float = REST) -> None:
        """Check the settings. `clock` gives monotonic seconds, for `rest` of which a refusal is remembered.

        Raises:
            ValueError: when there is a DN without a password: that would be an unauthenticated bind.

        """
        self._external = settings.bind_method == "external"
        password = settings.bind_password.get_secret_value() if settings.bind_password else b""
        if settings.bind_dn and not self._external and (not password or b"\0" in password):
            raise ValueError("bind_password: empty or with a NUL, while bind_dn is set")
        self._dn = settings.bind_dn
        self._password = password
        self._clock = clock
        self._rest = rest
        self._refusal = ""
        self._rests_until = -math.inf

    @property
    def refusal(self) -> str:
        """Return why it rests, "" if it does not."""
        return self._refusal if self._clock() < self._rests_until else ""

    def bind(self, connection: Connection, deadline: float) -> None:
        """Give the connection the service account's rights.

        Raises:
            Unavailable: when the account is refused, which no other server is asked about, or may do nothing before
                its password has been changed.
            Broken: when there is no answer, or no verdict.

        """
        if not self._dn and not self._external:
            return
        if self.refusal:
            raise Unavailable("directory", self.refusal)
        who = "the bind by certificate or socket (EXTERNAL)" if self._external else f"the bind of {self._dn}"
        result = self._ask(connection, deadline)
        verdict = verdict_of(result)
        if verdict is BindResult.OK:
            return
        if verdict is None:
            raise Broken(f"{who} failed: {result}", sent=False)
        if result.code == SUCCESS:
            self._refusal = f"{who} was accepted, but its password has to be changed before all else: {result}"
        else:
            self._refusal = f"{who} was refused: {result}"
        self._rests_until = self._clock() + self._rest
        raise Unavailable("directory", self._refusal)

    def _ask(self, connection: Connection, deadline: float) -> Result:
        if self._external:
            return connection.bind_external(deadline)
        return connection.bind(self._dn, self._password, deadline)


def dial_as(service: ServiceAccount, driver: Driver, endpoint: Endpoint, deadline: float) -> Connection:
    """Open a connection with the service account's rights. Raises Broken as `link.dial` does, Unavailable as `bind`."""
    connection = dial(driver, endpoint, deadline)
    try:
        service.bind(connection, deadline)
    except (Broken, Unavailable):
        connection.close()
        raise
    return connection
