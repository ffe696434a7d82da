"""Owns what the portal takes of a configuration that is read again, and the word on what of it needs a restart."""

import os
from collections.abc import Mapping
from pathlib import Path

from radius2fa.config.differences import differences
from radius2fa.config.load import ConfigError, load, located
from radius2fa.config.model import Settings
from radius2fa.config.portals import missing
from radius2fa.server.logs import OpenLog
from radius2fa.server.setup import censored
from radius2fa.store.seal import BadKeyFile, KeyRing
from radius2fa.traced import traced

_KEYS = "(master keys)"  # what is in the file
_TAKEN = frozenset({"log.level", "log.format"})
# What the portal does not go by: whole sections, and all but these keys of the server's.
_SECTIONS = frozenset({"metrics", "text"})
_OF_SERVER = frozenset({"challenge_seconds", "language", "node", "patience", "reject_delay", "reject_jitter"})


class Rereading:
    """Reads the configuration again when it is called, one call at a time."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        keys: KeyRing,
        journal: OpenLog,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Compare what is at the path with these settings, with which the portal began."""
        self._path = path
        self._settings = settings
        self._keys = keys
        self._journal = journal
        self._environment = environment

    def __call__(self) -> str:
        """Take the log's level and format, tell what else has changed, and return it in short, for systemd.

        A faulty file changes nothing, and each of its faults is told.
        """
        try:
            read = load(self._path, self._environment)
            faults: tuple[str, ...] = tuple(map(str, located(self._path, missing(read.portal))))
            keys = KeyRing.read(read.store.key_file)
            changed = differences(censored(self._settings, self._keys), censored(read, self._keys))
        except ConfigError as wrong:
            faults = tuple(map(str, wrong.faults))
        except BadKeyFile as wrong:
            faults = (str(wrong),)
        except Exception as bug:  # noqa: BLE001 - whatever it is, what is in force stays in force
            faults = (traced(bug),)
        if faults:
            for fault in faults:
                self._journal.log.error("not reloaded", why=fault, remedy="What was in force before stays so.")
            return "Reload refused, the earlier configuration stays in force: see the log"
        others = () if keys.names == self._keys.names else (_KEYS,)
        return self._take(read, (*(each.key for each in changed if _concerns(each.key)), *others))

    def _take(self, read: Settings, changed: tuple[str, ...]) -> str:
        taken = [key for key in changed if key in _TAKEN]
        waiting = [key for key in changed if key not in _TAKEN]
        self._journal.log.info("reloaded", changed=taken)
        if waiting:
            remedy = "Run: systemctl restart radius2fa-portal"
            self._journal.log.warning("needs a restart", keys=waiting, remedy=remedy)
        self._journal.take(read.log)
        log = self._settings.log.model_copy(update={"level": read.log.level, "format": read.log.format})
        self._settings = self._settings.model_copy(update={"log": log})
        return "Configuration reloaded" + (f"; {len(waiting)} changed key(s) need a restart" if waiting else "")


def _concerns(key: str) -> bool:
    section, _, name = key.partition(".")
    return section not in _SECTIONS and (section != "server" or name in _OF_SERVER)
