"""Owns `radius2fa unblock`: the end of the block of a place that names were tried from which do not exist."""

import time
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Annotated

import typer

from radius2fa.cli.opening import NO, fail, open_settings, open_store
from radius2fa.login.place import place_of
from radius2fa.printable import printable


def unblock(
    place: Annotated[
        list[str],
        typer.Argument(
            metavar="PLACE", help="An address, a network, a client's name, or what `radius2fa status` shows."
        ),
    ],
) -> None:
    """End the block of a place that names were tried from which do not exist."""
    text, now = " ".join(place), time.time()  # so that what is shown need not be quoted: from 198.51.100.7
    with closing(open_store(open_settings())) as store:
        found = [(where, store.watch.unblock(where, now)) for where in places_meant(text)]
    past = {where: failures for where, failures in found if failures is not None}
    if not past:
        fail(
            NO,
            f"no name that does not exist has been tried from {printable(text)} of late; "
            "`radius2fa status` lists the places that are blocked",
        )
    for where, failures in past.items():
        if failures.blocked(now):
            typer.echo(f"{printable(where)} is unblocked; the unknown names in a row were {failures.count}.")
        else:
            typer.echo(f"{printable(where)} was not blocked.")


def places_meant(text: str) -> tuple[str, ...]:
    """Return the names of the places that a text may mean: what it says itself, an address, a client."""
    source = text.removeprefix("from ")
    return tuple(dict.fromkeys((text, place_of("", source, _address(source)), place_of(text, "", None))))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, or that of a network whose addresses are one place; None if the text is neither."""
    from radius2fa.radius.credentials import address_in  # noqa: PLC0415 - heavy

    if not text.endswith("/64"):
        return address_in(text)
    try:
        return IPv6Network(text, strict=False).network_address
    except ValueError:
        return None
