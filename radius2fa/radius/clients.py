"""Owns who may speak: the clients, and which of them a source address belongs to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

Network = IPv4Network | IPv6Network

# Look-ups run before anything is parsed, so under a flood from forged addresses too: the memo must stay small. 4096
# known NAS addresses are more than one node serves; beyond them a look-up costs a few microseconds again.
_REMEMBERED: Final = 4096
_MAPPED: Final = bytes(10) + b"\xff\xff"  # RFC 4291 section 2.5.5.2: ::ffff:0:0/96 holds the IPv4 addresses
_MAPPED_LENGTH: Final = 96


@dataclass(frozen=True, slots=True)
class Client:
    """One RADIUS client (NAS or proxy): its networks, its shared secret, and what is asked of its requests.

    `limit_proxy_state` drops unsigned requests that carry Proxy-State, where unsigned requests are let in at all.
    `charset` is the encoding of its users' passwords, by its Python name; ASCII must mean ASCII in it.
    """

    name: str
    networks: tuple[Network, ...]
    secret: bytes = field(repr=False)
    require_message_authenticator: bool = True
    limit_proxy_state: bool = False
    charset: str = "utf-8"

    def __post_init__(self) -> None:
        """Refuse a client that could not be spoken to safely.

        Raises:
            ValueError: the secret is empty (RFC 2865 section 3), or the charset is unknown or no superset of ASCII.

        """
        if not self.secret:
            raise ValueError(f"{self.name}: the shared secret is empty")
        if not _extends_ascii(self.charset):
            raise ValueError(f"{self.name}: {self.charset!r} is no charset that extends ASCII")


def _extends_ascii(charset: str) -> bool:
    try:
        return b"a1\\".decode(charset) == "a1\\"
    except (LookupError, UnicodeError):
        return False


class Clients:
    """All clients, found by source address; the longest prefix wins."""

    def __init__(self, clients: Iterable[Client]) -> None:
        """Take the clients.

        Raises:
            ValueError: the same network is given to two clients.

        """
        owners: dict[Network, Client] = {}
        for client in clients:
            for network in map(_unmapped, client.networks):
                other = owners.setdefault(network, client)
                if other is not client:
                    raise ValueError(f"{network} is given to two clients: {other.name} and {client.name}")
        # By the octets of an address (4 or 16): its bits behind the prefix, and who owns the prefix; the longest first.
        self._tables = {4: tuple(_tables(owners, IPv4Network)), 16: tuple(_tables(owners, IPv6Network))}
        self._remembered = lru_cache(_REMEMBERED)(self._look_up)

    def by_address(self, address: str) -> Client | None:
        """Return the client that an IPv4 or IPv6 address belongs to, or None.

        An IPv4-mapped IPv6 address is the IPv4 address; a scope id (`%eth0`) is ignored.
        """
        return self._remembered(address)

    def _look_up(self, address: str) -> Client | None:
        try:
            octets = inet_pton(AF_INET6 if ":" in address else AF_INET, address.partition("%")[0])
        except (OSError, ValueError):
            return None
        octets = octets.removeprefix(_MAPPED)
        number = int.from_bytes(octets)
        for bits, owners in self._tables[len(octets)]:
            client = owners.get(number >> bits)
            if client is not None:
                return client
        return None


def _tables(owners: dict[Network, Client], family: type[Network]) -> Iterator[tuple[int, dict[int, Client]]]:
    """Yield one table for each prefix length that a network of the family has, the longest first."""
    mine = {network: client for network, client in owners.items() if isinstance(network, family)}
    for length in sorted({network.prefixlen for network in mine}, reverse=True):
        same = {network: client for network, client in mine.items() if network.prefixlen == length}
        bits = next(iter(same)).max_prefixlen - length
        yield bits, {int(network.network_address) >> bits: client for network, client in same.items()}


def _unmapped(network: Network) -> Network:
    """Return the IPv4 network that an IPv4-mapped IPv6 network means; any other network as it is."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_LENGTH:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_LENGTH))
