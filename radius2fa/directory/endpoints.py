"""Owns which servers a directory has."""

from collections.abc import Callable

from radius2fa.config.model import Directory
from radius2fa.directory.endpoint import Endpoint, parse_url


def endpoints_of(settings: Directory) -> Callable[[], tuple[Endpoint, ...]]:
    """Return what tells the servers, in the order of preference. It never waits.

    Raises:
        ValueError: naming the URL that is none.

    """
    known = tuple(map(parse_url, settings.urls))
    return lambda: known
