"""Owns the service accounts of an inspection: each is tried with a wrong password once, whoever names it how often."""

import math
from collections.abc import Callable

from radius2fa.config.model import Directory
from radius2fa.directory.service import ServiceAccount


class Accounts:
    """The accounts that an inspection binds with. One that was refused rests until the inspection ends.

    Directories that name the same account with the same password share it: most that do are parts of one, where each
    refusal counts towards a lock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start without any. `clock` gives monotonic seconds."""
        self._clock = clock
        self._known: dict[tuple[str, ...] | tuple[str, bytes], ServiceAccount] = {}

    def of(self, settings: Directory) -> ServiceAccount:
        """Return the account of a directory.

        Raises:
            ValueError: as ServiceAccount does.

        """
        key: tuple[str, ...] | tuple[str, bytes] = (settings.name,)
        if settings.bind_method == "simple" and settings.bind_dn and settings.bind_password:
            key = (settings.bind_dn, settings.bind_password.get_secret_value())
        if key not in self._known:
            self._known[key] = ServiceAccount(settings, self._clock, rest=math.inf)
        return self._known[key]
