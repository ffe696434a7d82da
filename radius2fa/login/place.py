"""Owns the places that attempts come from, as guessing is counted by them."""

from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

_INTERFACE_BITS = 64


def place_of(client: str, source: str, address: Address | None) -> str:
    """Return the name of the place that an attempt comes from.

    It is the user's address, without the port that some clients write behind it; of IPv6 the network of 64 bits, in
    which every machine can have as many addresses as it likes (RFC 4291 section 2.5.1, RFC 8981); what the client tells
    that is no address; or the client.
    """
    if isinstance(address, IPv6Address):
        return f"from {IPv6Address(int(address) >> _INTERFACE_BITS << _INTERFACE_BITS)}/64"
    where = source if address is None else str(address)
    return f"from {where}" if where else f"by {client}"
