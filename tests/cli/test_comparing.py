"""`check --diff`: what is other in the file than in the server that runs, which is stood for by what it would tell."""

import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from radius2fa.config.load import load
from radius2fa.server.setup import censored
from radius2fa.store.seal import KeyRing, new_key_text
from tests.cli.helpdesk import Helpdesk


@contextmanager
def running(desk: Helpdesk) -> Iterator[None]:
    """Somebody who answers as a server would that has read the configuration as it is now."""
    settings = load(desk.config)
    keys = KeyRing.read(settings.store.key_file)
    answer = json.dumps(
        {
            "version": "1",
            "process": 1,
            "started": "2026-01-01T00:00:00Z",
            "master_keys": keys.names,
            "configuration": censored(settings, keys),
        }
    )
    assert "shared secret" not in answer

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.sendall(answer.encode())

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening, ThreadPoolExecutor(1) as thread:
        listening.bind(str(desk.socket))
        listening.listen()
        thread.submit(serve)
        yield
        listening.shutdown(socket.SHUT_RDWR)


def change(desk: Helpdesk, old: str, new: str) -> None:
    text = desk.config.read_text()
    assert old in text
    desk.config.write_text(text.replace(old, new))


def known(desk: Helpdesk) -> Any:
    return desk.knows("check", "--diff")


def test_where_nothing_would_change_that_is_said(desk: Helpdesk) -> None:
    with running(desk):
        assert desk.says("check", "--diff") == ("The running server has this configuration; nothing would change.\n")
        assert known(desk) == {"differences": [], "note": ""}


def test_what_would_change_is_told_with_what_takes_it(desk: Helpdesk) -> None:
    with running(desk):
        change(desk, "[server]", "[server]\nthreads = 7\nbacklog = 500")
        change(desk, "the shared secret of the tests", "another shared secret of the tests")
        shown = desk.says("check", "--diff")
        lines = [line.split() for line in shown.splitlines()]
        reload, restart = (["systemctl", each, "radius2fa"] for each in ("reload", "restart"))
        assert ["server.threads", "changed", "16", "7", *restart] in lines
        assert ["server.backlog", "changed", "1024", "500", *reload] in lines
        assert ["client.vpn.secret", "changed", *reload] in lines
        assert "tests" not in shown
        assert known(desk)["differences"][-1] == {
            "key": "client.vpn.secret",
            "what": "changed",
            "fate": "by reload",
            "before": None,
            "after": None,
        }


def test_secrets_are_compared_across_a_change_of_the_master_key(desk: Helpdesk) -> None:
    with running(desk):
        file = desk.config.with_name("master.key")
        old = file.read_text()
        file.chmod(0o600)
        file.write_text(new_key_text(os.urandom) + old)
        (only,) = known(desk)["differences"]
        assert (only["key"], len(only["before"]), len(only["after"])) == ("(master keys)", 1, 2)
        change(desk, "the shared secret of the tests", "another shared secret of the tests")
        assert [each["key"] for each in known(desk)["differences"]] == ["(master keys)", "client.vpn.secret"]


def test_without_the_servers_master_key_secrets_are_not_compared_and_that_is_said(desk: Helpdesk) -> None:
    with running(desk):
        desk.replace_key()
        change(desk, "the shared secret of the tests", "another shared secret of the tests")
        change(desk, "[server]", "[server]\nbacklog = 500")
        found = known(desk)
        assert [each["key"] for each in found["differences"]] == ["(master keys)", "server.backlog"]
        assert "secrets were not compared" in found["note"]


def test_a_faulty_file_is_told_as_ever(desk: Helpdesk) -> None:
    with running(desk):
        change(desk, "[server]", "[server]\nunheard = 1")
        result = desk.run("check", "--diff")
        assert result.exit_code == 78
        assert "server.unheard" in result.stdout


def test_without_a_server_there_is_nothing_to_compare_with(desk: Helpdesk) -> None:
    result = desk.run("check", "--diff")
    assert result.exit_code == 69
    assert "No server is running here" in result.stderr


def test_a_server_that_does_not_tell_is_of_another_version(desk: Helpdesk) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening, ThreadPoolExecutor(1) as thread:
        listening.bind(str(desk.socket))
        listening.listen()

        def serve() -> None:
            with listening.accept()[0] as connection:
                connection.sendall(b'{"version": "0", "process": 1, "started": "2026-01-01T00:00:00Z"}')

        served = thread.submit(serve)
        result = desk.run("check", "--diff")
        served.result(10)
    assert result.exit_code == 69
    assert "another version" in result.stderr


def test_it_stands_alone(desk: Helpdesk) -> None:
    for more in (["--offline"], ["--user", "alice"]):
        assert desk.run("check", "--diff", *more).exit_code == 64
