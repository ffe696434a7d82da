"""protocol.md, "Who may speak"."""

from dataclasses import FrozenInstanceError
from ipaddress import ip_network

import pytest

from radius2fa.radius.clients import Client, Clients


def client(name: str, *networks: str) -> Client:
    return Client(name, tuple(ip_network(each) for each in networks), b"secret")


CLIENTS = Clients(
    [
        client("site", "192.0.2.0/24", "2001:db8::/32"),
        client("vpn", "192.0.2.7", "2001:db8::7"),
        client("half", "192.0.2.128/25", "2001:db8:8000::/33", "fe80::1/128"),
        client("mapped", "::ffff:198.51.100.0/120"),
    ]
)


def found(clients: Clients, address: str) -> str | None:
    owner = clients.by_address(address)
    return None if owner is None else owner.name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "vpn"),
        ("192.0.2.6", "site"),
        ("192.0.2.200", "half"),
        ("192.0.3.1", None),
        ("2001:db8::7", "vpn"),
        ("2001:db8:7fff::1", "site"),
        ("2001:db8:8000::1", "half"),
        ("2001:db9::1", None),
    ],
)
def test_the_longest_prefix_wins(address: str, name: str | None) -> None:
    assert found(CLIENTS, address) == name


def test_the_order_of_clients_means_nothing() -> None:
    turned = Clients([client("vpn", "192.0.2.7"), client("all", "0.0.0.0/0"), client("site", "192.0.2.0/24")])
    assert [found(turned, f"{each}") for each in ("192.0.2.7", "192.0.2.8", "8.8.8.8")] == ["vpn", "site", "all"]


def test_a_mapped_address_is_the_ipv4_address() -> None:
    assert found(CLIENTS, "::ffff:192.0.2.7") == "vpn"
    assert found(CLIENTS, "::FFFF:c000:0207") == "vpn"
    assert found(CLIENTS, "198.51.100.9") == "mapped"
    assert found(CLIENTS, "::ffff:198.51.100.9") == "mapped"


def test_ipv4_is_no_part_of_all_of_ipv6() -> None:
    six = Clients([client("six", "::/0")])
    assert found(six, "2001:db8::1") == "six"
    assert found(six, "192.0.2.7") is None
    assert found(six, "::ffff:192.0.2.7") is None


def test_a_scope_id_is_ignored() -> None:
    assert found(CLIENTS, "fe80::1%eth0") == "half"
    assert found(CLIENTS, "fe80::2%eth0") is None


@pytest.mark.parametrize(
    "address", ["", "localhost", "192.0.2", "192.0.2.7/32", "::1::", "%eth0", "192.0.2.7\0", "\uff11"]
)
def test_what_is_no_address_belongs_to_nobody(address: str) -> None:
    assert found(CLIENTS, address) is None


def test_one_network_for_two_clients_is_refused_and_names_both() -> None:
    with pytest.raises(ValueError, match=r"192\.0\.2\.0/24 is given to two clients: site and branch"):
        Clients([client("site", "192.0.2.0/24"), client("branch", "192.0.2.0/24")])
    with pytest.raises(ValueError, match=r"192\.0\.2\.0/24 is given to two clients: site and branch"):
        Clients([client("site", "192.0.2.0/24"), client("branch", "::ffff:192.0.2.0/120")])


def test_one_network_written_twice_for_one_client_is_no_fault() -> None:
    assert found(Clients([client("site", "192.0.2.0/24", "::ffff:192.0.2.0/120")]), "192.0.2.1") == "site"


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="vpn: the shared secret is empty"):
        Client("vpn", (), b"")


@pytest.mark.parametrize("charset", ["no-such-charset", "utf-16", "cp037", "hex", "rot13", "undefined"])
def test_a_charset_that_is_unknown_or_no_superset_of_ascii_is_refused(charset: str) -> None:
    with pytest.raises(ValueError, match=f"vpn: '{charset}' is no charset"):
        Client("vpn", (), b"secret", charset=charset)


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "cp1252", "iso8859-15", "gbk", "koi8-r"])
def test_the_charsets_of_real_clients_are_taken(charset: str) -> None:
    assert Client("vpn", (), b"secret", charset=charset).charset == charset


def test_a_client_is_frozen_and_hides_its_secret() -> None:
    vpn = Client("vpn", (), b"opensesame")
    assert "opensesame" not in repr(vpn)
    with pytest.raises(FrozenInstanceError):
        vpn.secret = b""  # type: ignore[misc] # that is what must fail


def test_the_memory_of_look_ups_is_bounded() -> None:
    clients = Clients([client("site", "192.0.2.0/24")])
    for number in range(10_000):
        clients.by_address(f"10.0.{number >> 8}.{number & 255}")
    assert clients._remembered.cache_info().currsize == 4096
    assert found(clients, "192.0.2.1") == "site"
