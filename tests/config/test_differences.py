from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretBytes

from radius2fa.config.differences import Difference, Fate, What, differences, fate, taken, values
from radius2fa.config.model import Log, Server, Settings, Store
from tests.server.configured import a_client, policy, settings


def digest(place: str, secret: bytes) -> str:
    return f"{place}/{len(secret)}"


def found(before: Settings, after: Settings) -> tuple[Difference, ...]:
    return differences(values(before, digest), values(after, digest))


def test_the_same_configuration_has_no_differences() -> None:
    assert found(settings(policy("one")), settings(policy("one"))) == ()


def test_a_changed_key_is_told_with_both_values() -> None:
    after = settings(server=Server(backlog=5))
    assert found(settings(), after) == (Difference("server.backlog", What.CHANGED, Fate.RELOAD, 1024, 5),)


def test_of_a_secret_only_that_it_changed_is_told() -> None:
    before, after = (settings(clients=[a_client(secret=SecretBytes(each))]) for each in (b"x" * 24, b"y" * 25))
    assert found(before, after) == (Difference("client.vpn.secret", What.CHANGED, Fate.RELOAD),)
    for each in (before, after):
        shown = repr(values(each, digest))
        assert "xxxx" not in shown
        assert "yyyy" not in shown


def test_what_a_reply_holds_may_be_a_password_and_is_not_told() -> None:
    before, after = (settings(policy(reply={"Cisco-AVPair": each})) for each in ("password=one", "password=three"))
    assert found(before, after) == (Difference("policy.staff.reply.Cisco-AVPair", What.CHANGED, Fate.RELOAD),)
    assert "password" not in repr(values(before, digest)["policy"])


def test_sections_that_come_and_go_are_told_by_their_names() -> None:
    before = settings(clients=[a_client(), a_client(name="old", addresses=["192.0.2.2"])])
    after = settings(clients=[a_client(), a_client(name="new", addresses=["192.0.2.3"])])
    assert found(before, after) == (
        Difference("client.old", What.REMOVED, Fate.RELOAD),
        Difference("client.new", What.ADDED, Fate.RELOAD),
    )


def test_the_order_of_policies_counts_and_that_of_clients_does_not() -> None:
    one, two = policy("one"), policy("two")
    assert found(settings(one, two), settings(two, one)) == (
        Difference("policy", What.ORDER, Fate.RELOAD, ["one", "two"], ["two", "one"]),
    )
    first, second = a_client(), a_client(name="other", addresses=["192.0.2.2"])
    assert found(settings(clients=[first, second]), settings(clients=[second, first])) == ()


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (("client", "vpn"), Fate.RELOAD),
        (("directory", "main"), Fate.RELOAD),
        (("server", "listen"), Fate.RELOAD),
        (("server", "accounting_listen"), Fate.RELOAD),
        (("server", "threads"), Fate.RESTART),
        (("store", "url"), Fate.RESTART),
        (("store", "key_file"), Fate.RELOAD),
        (("log", "level"), Fate.RELOAD),
        (("log", "format"), Fate.RELOAD),
        (("log", "file"), Fate.RESTART),
        (("log", "syslog"), Fate.RESTART),
        (("metrics", "listen"), Fate.RESTART),
        (("portal", "url"), Fate.PORTAL),
        (("of a later version", "key"), Fate.RESTART),
    ],
)
def test_what_takes_a_change_is_known(place: tuple[str, str], expected: Fate) -> None:
    assert fate(*place) is expected


def test_what_needs_a_restart_stays_as_it_was() -> None:
    before = settings()
    sections: dict[str, Any] = {
        "server": Server(threads=7, backlog=5, status_socket=None),
        "store": Store(url="sqlite:////elsewhere.db", keep_days=3),
        "log": Log(level="debug", format="json", file=Path("/elsewhere.log")),
    }
    now = taken(before, settings(policy("new"), **sections))
    assert (now.server.threads, now.server.backlog) == (before.server.threads, 5)
    assert now.server.status_socket == before.server.status_socket
    assert (now.store.url, now.store.keep_days) == (before.store.url, 3)
    assert now.log == Log(level="debug", format="json")
    assert [each.name for each in now.policy] == ["new"]


def test_after_a_reload_only_what_needs_a_restart_differs_from_the_file() -> None:
    log = Log(level="debug", file=Path("/elsewhere.log"))
    read = settings(policy("new"), server=Server(threads=7, backlog=5), log=log)
    assert [each.key for each in found(taken(settings(), read), read)] == ["server.threads", "log.file"]
