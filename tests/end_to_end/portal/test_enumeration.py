"""Whether somebody without a password learns who is known here, who has a token, and whether a password is right.

By the pages, to the letter; and by the clock. One of each kind of name is tried at the same time, some times over, so
that a machine that is busy is busy for all of them. An answer is held back until its hour, which is later than when it
is known (a first step is answered after 0.15 s, a refusal after `reject_delay`): so none may come before, and their
medians may differ by no more than what a thread is late to wake by.
"""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from threading import Barrier

import pytest

from tests.end_to_end.portal.conftest import an_address
from tests.end_to_end.portal.office import Office
from tests.servers.portal import Answer, Caller
from tests.servers.program import LIMIT

ROUNDS = 7
HOUR = 0.15  # seconds from a first step to its answer, at least
REFUSED = 0.1  # `reject_delay` of a House
CHANCE = {"Set-Cookie", "Date", "Content-Length"}
APART = 0.03  # seconds between medians, at most


@dataclass(frozen=True)
class Kind:
    """A kind of name, and what is typed as its password."""

    name: str
    password: str = "no password of anybody"


@pytest.fixture(scope="module")
def kinds(office: Office) -> dict[str, Kind]:
    """Kinds of names that look alike: of as many letters, with a password of as many."""
    with_token = [office.house.person(f"enumerated{number}", b"right password " + b"x" * 7) for number in range(2)]
    without = office.house.person("enumerated2", token=False)
    return {
        "with a token": Kind(with_token[0].uid),
        "with a token, right password": Kind(with_token[1].uid, with_token[1].password.decode()),
        "without a token": Kind(without.uid),
        "nobody": Kind("enumerated3"),
        "no name at all": Kind("enumerated*"),
    }


@pytest.fixture
def callers(office: Office, kinds: dict[str, Kind]) -> Iterator[dict[str, Caller]]:
    found = {each: office.portal.caller(an_address()) for each in kinds}
    yield found
    for caller in found.values():
        caller.__exit__()


def form(caller: Caller, path: str) -> dict[str, str]:
    return {"form": re.findall(r'name="form" value="([0-9a-f]+)"', caller.get(path).text)[0]}


def first_step(caller: Caller, kind: Kind) -> Callable[[], Answer]:
    fields = form(caller, "/signin") | {"name": kind.name, "password": kind.password}
    return lambda: caller.post("/signin", fields)


def wrong_code(caller: Caller, kind: Kind) -> Callable[[], Answer]:
    first_step(caller, kind)()
    fields = form(caller, "/signin/code") | {"code": "000000"}
    return lambda: caller.post("/signin/code", fields)


def shape(answer: Answer, kind: Kind) -> str:
    """Return all that an answer tells, but for what is chance in it and the name that was typed.

    Each name has ids of keys of its own, of such lengths as keys have: only how many there are is told of them.
    """
    headers = {name: value for name, value in answer.headers.items() if name not in CHANCE}
    cookies = {name: (len(value), flags.get("max-age")) for name, (value, flags) in answer.cookies.items()}
    text = re.sub(r'name="form" value="[0-9a-f]+"', "FORM", answer.text.replace(kind.name, "NAME"))
    keys = re.sub(r"&#34;(challenge|id)&#34;: ?&#34;[\w-]+&#34;", r"\1", text)
    return f"{answer.status} {headers} {cookies} {keys}"


def test_the_pages_tell_nobody_who_is_known_here(callers: dict[str, Caller], kinds: dict[str, Kind]) -> None:
    for step in (first_step, the_page_of_the_code, wrong_code):
        shapes = {each: shape(step(callers[each], kind)(), kind) for each, kind in kinds.items()}
        assert shapes == dict.fromkeys(kinds, shapes["nobody"])


def the_page_of_the_code(caller: Caller, kind: Kind) -> Callable[[], Answer]:
    """It looks for the keys of whoever is meant, and has as many for nobody."""
    first_step(caller, kind)()
    return lambda: caller.get("/signin/code")


@pytest.mark.parametrize(
    ("step", "earliest"), [(first_step, HOUR), (the_page_of_the_code, HOUR), (wrong_code, REFUSED)]
)
def test_the_clock_tells_nobody_who_is_known_here(
    step: Callable[[Caller, Kind], Callable[[], Answer]], earliest: float, office: Office, kinds: dict[str, Kind]
) -> None:
    def measured(kind: Kind) -> float:
        with office.portal.caller(an_address()) as caller:
            ask = step(caller, kind)
            together.wait(LIMIT)
            began = time.perf_counter()
            ask()
            return time.perf_counter() - began

    together = Barrier(len(kinds))
    with ThreadPoolExecutor(len(kinds)) as threads:
        rounds = [list(threads.map(measured, kinds.values())) for _ in range(ROUNDS)]
    assert min(map(min, rounds)) >= earliest, rounds
    medians = dict(zip(kinds, map(median, zip(*rounds, strict=True)), strict=True))
    assert max(medians.values()) - min(medians.values()) <= APART, medians
