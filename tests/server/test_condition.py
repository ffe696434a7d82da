import os

from radius2fa import __version__
from radius2fa.directory.figures import DirectoryFigures, LookupFigures
from radius2fa.directory.servers import ServerState
from radius2fa.server.condition import Moment, condition


class Directory:
    def __init__(self, name: str, driver: str, numbers: tuple[int, int, int], *servers: ServerState) -> None:
        remembered, hits, misses = numbers
        lookups = LookupFigures(remembered, 10_000, 60.0, hits, misses)
        self._figures = DirectoryFigures(name, driver, lookups, servers)

    def figures(self) -> DirectoryFigures:
        return self._figures


def test_the_condition_tells_the_process_and_each_directory_in_order() -> None:
    one = ServerState("ldaps://one", well=True, cause="", since=500.0)
    two = ServerState("ldaps://two", well=False, cause="connection refused", since=590.5)
    directories = [Directory("staff", "ldap3", (1, 2, 3), one, two), Directory("guests", "libldap", (4, 5, 6))]
    told = condition(1767225600.0, directories, Moment(unix=1767225700.0, monotonic=600.0))
    assert told == {
        "version": __version__,
        "process": os.getpid(),
        "started": "2026-01-01T00:00:00+00:00",  # date -u -d @1767225600
        "directories": [
            {
                "name": "staff",
                "driver": "ldap3",
                "lookups": {"remembered": 1, "capacity": 10000, "limit_seconds": 60.0, "hits": 2, "misses": 3},
                "servers": [
                    {"url": "ldaps://one", "state": "well", "since": "2026-01-01T00:00:00+00:00", "cause": ""},
                    {
                        "url": "ldaps://two",
                        "state": "failed",
                        "since": "2026-01-01T00:01:30+00:00",
                        "cause": "connection refused",
                    },
                ],
            },
            {
                "name": "guests",
                "driver": "libldap",
                "lookups": {"remembered": 4, "capacity": 10000, "limit_seconds": 60.0, "hits": 5, "misses": 6},
                "servers": [],
            },
        ],
    }
