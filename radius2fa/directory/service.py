"""Owns the bind of the service account, which looks names up."""

import math
from collections.abc import Callable

from radius2fa.config.model import Directory
from radius2fa.directory.diagnosis import SUCCESS, verdict_of
from radius2fa.directory.link import Broken, Connection
from radius2fa.login.ports import Unavailable

# A service account whose password was changed must not be locked by us as well, before anybody can correct it here.
REST = 10.0  # seconds


class ServiceAccount:
    """The account, or nobody: without a `bind_dn` the directory is searched anonymously."""

    def __init__(self, settings: Directory, clock: Callable[[], float]) -> None:
        """Check the settings. `clock` gives monotonic seconds.

        Raises:
            ValueError: when there is a DN without a password: that would be an unauthenticated bind.

        """
        password = settings.bind_password.get_secret_value() if settings.bind_password else b""
        if settings.bind_dn and (not password or b"\0" in password):
            raise ValueError("bind_password: empty or with a NUL, while bind_dn is set")
        self._dn = settings.bind_dn
        self._password = password
        self._clock = clock
        self._refusal = ""
        self._rests_until = -math.inf

    def bind(self, connection: Connection, deadline: float) -> None:
        """Give the connection the service account's rights.

        Raises:
            Unavailable: when the account is refused, which no other server is asked about.
            Broken: when there is no answer, or no verdict.

        """
        if not self._dn:
            return
        if self._clock() < self._rests_until:
            raise Unavailable("directory", self._refusal)
        result = connection.bind(self._dn, self._password, deadline)
        if result.code == SUCCESS:
            return
        if verdict_of(result) is None:
            raise Broken(f"the bind of {self._dn} failed: {result}", sent=False)
        self._refusal = f"the bind of {self._dn} was refused: {result}"
        self._rests_until = self._clock() + REST
        raise Unavailable("directory", self._refusal)
