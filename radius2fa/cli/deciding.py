"""Owns what commands need that speak of decisions: the house, whoever would ask, the rules in words."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radius2fa.cli.opening import NO, USAGE, fail, open_directory, open_house, open_store
from radius2fa.cli.showing import local_time
from radius2fa.login.attempt import ClientRules
from radius2fa.login.place import Address
from radius2fa.login.policy import NO_RULE, Rule, SecondFactor
from radius2fa.otp.token import DEVICES, Factor
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.config.model import Settings
    from radius2fa.directory.directories import Directories
    from radius2fa.login.case import House


@dataclass(frozen=True, slots=True)
class Asker:
    """A client as the decision sees it, and where its user would sit: as it tells it, and as an address."""

    client: ClientRules
    source: str = ""
    address: Address | None = None


def asker_of(settings: "Settings", client: str | None, source: str) -> Asker:
    """Return who asks. A client that is unknown, or not named where there are several, ends the program."""
    from radius2fa.radius.credentials import address_in  # noqa: PLC0415 - heavy
    from radius2fa.server.wiring import client_rules  # noqa: PLC0415 - heavy

    names = {each.name: each for each in settings.client}
    if client is None and len(names) > 1:
        fail(USAGE, f"which client? Give --client with one of: {', '.join(names)}")
    found = settings.client[0] if client is None else names.get(client)
    if found is None:
        fail(NO, f"no client is named {printable(str(client))}; there are: {', '.join(names)}")
    return Asker(client_rules(found), source, address_in(source))


@contextmanager
def opened(settings: "Settings") -> "Iterator[tuple[House, Directories]]":
    """Give the house as the server would have it, and its directories.

    Faults of the configuration end the program with 78.
    """
    with closing(open_store(settings)) as store, closing(open_directory(settings)) as directories:
        yield open_house(settings, store, directories), directories


def token_words(tokens: Iterable[Factor]) -> str:
    """Name each token by kind and id, and count the codes that were handed out, of which there may be many."""
    found = list(tokens)
    devices = [f"{token.kind} {token.id}" for token in found if token.kind in DEVICES]
    issued = Counter(token.kind for token in found if token.kind not in DEVICES)
    return ", ".join([*devices, *(f"{kind} codes: {number}" for kind, number in issued.items())])


_ASKS = {
    SecondFactor.REQUIRED: "a second factor is required",
    SecondFactor.IF_ENROLLED: "a second factor is required of those who have a token",
    SecondFactor.OFF: "the password alone is enough",
    SecondFactor.DENY: "nobody is let in",
}


def rule_words(rule: Rule, when: float) -> str:
    """Say in a sentence which rule it is and what it asks for at `when` (Unix seconds)."""
    asks = _ASKS[rule.asks_at(when)]
    if rule is NO_RULE:
        return f"no rule matches: {asks}"
    words = [f"{rule.name}: {asks}"]
    if rule.asks_at(when) is SecondFactor.IF_ENROLLED:
        words.append(f"until {local_time(rule.until)}")
    if rule.kinds is not None:
        words.append(f"kinds: {', '.join(sorted(rule.kinds))}")
    if rule.required_groups is not None:
        words.append(f"for members of {' or '.join(sorted(rule.required_groups))} only")
    if rule.adopts:
        words.append("an unassigned YubiKey becomes the user's by the first login")
    return "; ".join(words)
