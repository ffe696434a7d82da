"""Owns what a configuration was made into, and how the next one is made beside it, with all of it that stays."""

import time
from dataclasses import dataclass
from typing import Self

from radius2fa.config.differences import Values, taken, values
from radius2fa.config.model import Settings
from radius2fa.directory.directories import Directories, Opened
from radius2fa.server.inforce import InForce, in_force
from radius2fa.server.wanted import wanted
from radius2fa.store.engine import Store
from radius2fa.store.seal import KeyRing

_PURPOSE = b"configuration"


@dataclass(frozen=True, slots=True)
class Setup:
    """A configuration that is in force, and its parts. `values` is the configuration without secrets, for `check`."""

    settings: Settings
    store: Store
    directory: Directories
    in_force: InForce
    values: Values

    @classmethod
    def of(cls, settings: Settings, store: Store, directory: Directories) -> Self:
        """Put the parts together; nothing is connected or started.

        Raises:
            UnusableReplies: attributes or values of the policies cannot be sent (`check` finds the same).

        """
        shown = censored(settings, store.keys)
        return cls(settings, store, directory, in_force(settings, store, directory), shown)

    def next(self, read: Settings, keys: KeyRing) -> "Setup":
        """Return what takes the place of this one for a configuration that was read. This one works on meanwhile.

        Raises:
            UnusableReplies: as `of`.
            BadKeyFile: the tokens in the database are sealed with a key that is not among these.
            Unavailable: that cannot be found out.
            ValueError: a directory cannot be used; names the key that is wrong.

        """
        settings = taken(self.settings, read)
        store = self.store.renewed(keys, settings.store)
        directory = self.directory.renewed(settings, time.monotonic, wanted(settings))
        return Setup.of(settings, store, directory)

    def fresh(self, before: "Setup") -> tuple[Opened, ...]:
        """Return the directories that another setup does not have."""
        return tuple(each for each in self.directory.opened if each not in before.directory.opened)


def censored(settings: Settings, keys: KeyRing, name: str | None = None) -> Values:
    """Return a configuration without secrets. Their digests are made with the master key of this name, or the current.

    Raises:
        KeyError: there is no such key.

    """
    name = keys.names[0] if name is None else name

    def digest(place: str, secret: bytes) -> str:
        made = keys.digest_of(name, _PURPOSE, place.encode() + b"\0" + secret)
        if made is None:
            raise KeyError(name)
        return made[:8].hex()

    return values(settings, digest)
