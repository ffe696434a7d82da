"""Owns the listing of very many entries: page by page over one connection (RFC 2696), never all of them at once."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

from radius2fa.directory.diagnosis import SUCCESS
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import Broken, Connection
from radius2fa.directory.servers import Servers
from radius2fa.directory.terms import Found, Page, Search
from radius2fa.login.ports import Unavailable

PAGE = 500  # entries: what slapd answers with at once unless told otherwise; Active Directory would send 1000
PATIENCE = 30.0  # seconds for one page
LONGEST_PAGE = 1 << 25  # octets


def listed(
    servers: Servers, dial: Callable[[Endpoint, float], Connection], search: Search, clock: Callable[[], float]
) -> Iterator[Found]:
    """Yield all that a search finds. `dial` opens a connection to a server before a deadline, and raises Broken.

    A list that has begun is not continued by another server, which knows nothing of the first one's cookie.

    Raises:
        Unavailable: at any time, when the list cannot be had to its end: a part is not taken for the whole.

    """
    with closing(_opened(servers, dial, clock)) as connection:
        page = Page(PAGE)
        while True:
            found, following = _page(connection, replace(search, page=page), clock() + PATIENCE)
            yield from found
            if following is None:
                return
            if not found and following == page:
                raise Unavailable("directory", "the list goes round in circles")
            page = following


def _page(connection: Connection, search: Search, deadline: float) -> tuple[list[Found], Page | None]:
    """Return a page, and the request for the next one; None after the last, and from servers that know no pages."""
    try:
        found, result = connection.search(search, deadline)
    except Broken as broken:
        raise Unavailable("directory", f"the list broke off: {broken.cause}") from broken
    if result.code != SUCCESS:
        cause = f"the list of people in {search.base!r} failed: {result} (does the server limit how many it lists?)"
        raise Unavailable("directory", cause)
    return found, Page(PAGE, result.cookie) if result.cookie else None


def _opened(servers: Servers, dial: Callable[[Endpoint, float], Connection], clock: Callable[[], float]) -> Connection:
    causes: dict[Endpoint, str] = {}
    for endpoint in servers.to_ask(clock() + PATIENCE):
        began = clock()
        try:
            return dial(endpoint, began + PATIENCE)
        except Broken as broken:
            servers.failed(endpoint, broken.cause, began)
            causes[endpoint] = broken.cause
    causes = servers.causes() | causes
    raise Unavailable("directory", "; ".join(f"{each.url}: {cause}" for each, cause in causes.items()))
