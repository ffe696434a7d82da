import os
import platform
from collections.abc import Sequence
from typing import Any

from radius2fa import __version__
from radius2fa.directory.figures import DirectoryFigures, LookupFigures
from radius2fa.directory.servers import ServerState
from radius2fa.server.condition import Asking, Figures, Moment, Reporting, Work, condition
from radius2fa.server.habits import Habit
from radius2fa.server.reloaded import Reloaded
from tests.server.configured import a_client


def directory(name: str, driver: str, numbers: tuple[int, int, int], *servers: ServerState) -> DirectoryFigures:
    remembered, hits, misses = numbers
    return DirectoryFigures(name, driver, LookupFigures(remembered, 10_000, 60.0, hits, misses), servers)


def figures(**changed: Any) -> Figures:
    """Figures of a server that has done nothing yet."""
    nothing: dict[str, Sequence[Any]] = dict.fromkeys(("listeners", "clients", "directories", "master_keys"), ())
    return Figures(
        **{
            "started": 1767225600.0,
            "work": Work(16, 0, 0, 0, 1024),
            "drops": {},
            "accounting": Reporting((), 0, {}),
            "reloaded": None,
            "configuration": {},
            **nothing,
            **changed,
        }
    )


NOW = Moment(unix=1767225700.0, monotonic=600.0)


def test_the_condition_tells_the_process_and_each_directory_in_order() -> None:
    one = ServerState("ldaps://one", well=True, cause="", since=500.0)
    two = ServerState("ldaps://two", well=False, cause="connection refused", since=590.5)
    directories = [directory("staff", "ldap3", (1, 2, 3), one, two), directory("guests", "libldap", (4, 5, 6))]
    told = condition(figures(directories=directories), NOW)
    assert told == {
        "version": __version__,
        "python": platform.python_version(),
        "process": os.getpid(),
        "listeners": [],
        "work": {"threads": 16, "busy": 0, "waiting": 0, "held": 0, "backlog": 1024},
        "clients": [],
        "drops": [],
        "accounting": {"listeners": [], "in_progress": 0, "acknowledged": []},
        "reload": None,
        "master_keys": [],
        "configuration": {},
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


def test_the_condition_tells_what_clients_are_used_to() -> None:
    strict = a_client(name="strict", addresses=["192.0.2.0/24", "2001:db8::1"])
    lax = a_client(name="lax", require_message_authenticator=False)
    asking = [Asking(strict, Habit(1767225660.0, signed=3, unsigned=0), 2), Asking(lax, None, 0)]
    drops = {("unknown-client", "", "authentication"): 4, ("overload", "lax", "accounting"): 1}
    told = condition(figures(clients=asking, drops=drops), NOW)
    assert told["clients"] == [
        {
            "name": "strict",
            "addresses": ["192.0.2.0/24", "2001:db8::1/128"],
            "last_request": "2026-01-01T00:01:00+00:00",
            "message_authenticator": {"required": True, "with": 3, "without": 2},
        },
        {
            "name": "lax",
            "addresses": ["192.0.2.1/32"],
            "last_request": None,
            "message_authenticator": {"required": False, "with": 0, "without": 0},
        },
    ]
    assert told["drops"] == [
        {"client": "lax", "cause": "overload", "count": 1, "port": "accounting"},
        {"client": None, "cause": "unknown-client", "count": 4, "port": "authentication"},
    ]


def test_the_condition_tells_what_accounting_was_acknowledged() -> None:
    reporting = Reporting([("127.0.0.1", 1813)], 5, {("vpn", "stop"): 2, ("vpn", "start"): 3})
    assert condition(figures(accounting=reporting), NOW)["accounting"] == {
        "listeners": [{"address": "127.0.0.1", "port": 1813}],
        "in_progress": 5,
        "acknowledged": [
            {"client": "vpn", "status": "start", "count": 3},
            {"client": "vpn", "status": "stop", "count": 2},
        ],
    }


def test_the_condition_tells_how_the_last_reload_ended() -> None:
    taken = Reloaded(1767225660.0, (), ("server.backlog",), ("log.level",))
    assert condition(figures(reloaded=taken), NOW)["reload"] == {
        "at": "2026-01-01T00:01:00+00:00",
        "result": "taken",
        "faults": [],
        "changed": ["server.backlog"],
        "needs_restart": ["log.level"],
    }
    told: Any = condition(figures(reloaded=Reloaded(1767225660.0, ("it is no TOML",))), NOW)["reload"]
    assert (told["result"], told["faults"]) == ("refused", ["it is no TOML"])
