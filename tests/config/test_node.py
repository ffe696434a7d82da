import socket

import pytest

from radius2fa.config.model import Server
from radius2fa.config.rules import host_name


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("radius-1.example.org", "radius-1.example.org"),
        ("-rad ius/1", "radius1"),
        ("", "localhost"),
        ("x" * 99, "x" * 64),
    ],
)
def test_a_node_is_called_as_its_machine_as_far_as_it_may_be(
    monkeypatch: pytest.MonkeyPatch, name: str, node: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    assert host_name() == node
    assert Server().node == node
