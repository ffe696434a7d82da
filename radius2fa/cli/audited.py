"""Owns the rows of the audit record as the command line tells them: for people, and for programs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from radius2fa.cli.showing import local_time

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.login.ports import Record, Result
    from radius2fa.login.reason import Reason
    from radius2fa.store.acts import Act
    from radius2fa.store.engine import Store

_PAGE = 1000

Numbered = Sequence[tuple[int, Any]]


@dataclass(frozen=True, slots=True)
class Rows:
    """What a filter finds. `before` gives the newest rows below a number, `after` the oldest above one."""

    _before: Callable[[int | None, int], Numbered]
    _after: Callable[[int, int], Numbered]

    def newest(self, limit: int) -> Iterator[tuple[int, Any]]:
        """Yield the newest rows, the oldest of them first."""
        found: list[tuple[int, Any]] = []
        while len(found) < limit:
            page = self._before(found[-1][0] if found else None, min(_PAGE, limit - len(found)))
            if not page:
                break
            found += page
        yield from reversed(found)

    def all(self) -> Iterator[tuple[int, Any]]:
        """Yield all rows, the oldest first."""
        yield from self.after(0)

    def after(self, number: int) -> Iterator[tuple[int, Any]]:
        """Yield all rows above a number."""
        while page := self._after(number, _PAGE):
            yield from page
            number = page[-1][0]


@dataclass(frozen=True, slots=True)
class Kind:
    """How rows of one table are told: cells below headings for people, values by their titles for programs."""

    headings: tuple[str, ...]
    cells: Callable[[Any], tuple[str, ...]]
    titles: tuple[str, ...]
    described: Callable[[Any], dict[str, object]]


def logins_of(  # noqa: PLR0917 - one for each option
    store: "Store",
    user: str,
    client: str,
    result: "Result | None",
    reason: "Reason | None",
    since: float | None,
    until: float | None,
) -> Rows:
    """Return the logins that are meant."""
    from radius2fa.store.records import LoginFilter  # noqa: PLC0415 - heavy

    which = LoginFilter(name=user, client=client, result=result, reason=reason, since=since, until=until)
    records = store.records
    return Rows(
        lambda before, limit: records.logins(which, before, limit),
        lambda after, limit: records.logins_after(which, after, limit),
    )


def acts_of(store: "Store", user: str, since: float | None, until: float | None) -> Rows:
    """Return the acts that are meant."""
    from radius2fa.store.records import ActFilter  # noqa: PLC0415 - heavy

    which, records = ActFilter(name=user, since=since, until=until), store.records
    return Rows(
        lambda before, limit: records.acts(which, before, limit),
        lambda after, limit: records.acts_after(which, after, limit),
    )


def utc(when: float) -> str:
    """Return a time (Unix seconds) in UTC, to the millisecond."""
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _login_cells(login: "Record") -> tuple[str, ...]:
    other = f" ({login.person})" if login.person and login.person != login.name else ""
    spent = [each for each in asdict(login.stages).values() if each is not None]
    return (
        local_time(login.when),
        login.id,
        login.node,
        login.client,
        login.name + other,
        login.source,
        login.result,
        login.factor or "",
        login.serial or "",
        login.policy or "",
        login.reason or "",
        f"{sum(spent):.0f} ms" if spent else "",
    )


def _login_described(login: "Record") -> dict[str, object]:
    return {
        "when": utc(login.when),
        "id": login.id,
        "node": login.node,
        "client": login.client,
        "name": login.name,
        "person": login.person,
        "subject": login.subject,
        "source": login.source,
        "policy": login.policy,
        "factor": login.factor,
        "token": login.token,
        "serial": login.serial,
        "result": login.result,
        "reason": login.reason,
        **{f"{stage}_ms": spent for stage, spent in asdict(login.stages).items()},
    }


def _act_cells(act: "Act") -> tuple[str, ...]:
    return local_time(act.at), act.node, act.who, act.what, act.name or "", act.token or "", act.detail, act.why


def _act_described(act: "Act") -> dict[str, object]:
    return {
        "when": utc(act.at),
        "node": act.node,
        "who": act.who,
        "what": act.what,
        "name": act.name,
        "subject": act.subject,
        "token": act.token,
        "detail": act.detail,
        "why": act.why,
    }


LOGINS = Kind(
    ("When", "Id", "Node", "Client", "User", "From", "Result", "Factor", "Serial", "Policy", "Why", "Took"),
    _login_cells,
    (
        *("when", "id", "node", "client", "name", "person", "subject", "source", "policy", "factor", "token", "serial"),
        *("result", "reason", "queue_ms", "look_up_ms", "code_ms", "bind_ms", "store_ms"),
    ),
    _login_described,
)
ACTS = Kind(
    ("When", "Node", "Who", "What", "User", "Token", "Detail", "Why"),
    _act_cells,
    ("when", "node", "who", "what", "name", "subject", "token", "detail", "why"),
    _act_described,
)
