"""The comparison of clocks. Moments are those of `date -u -d`, texts those of RFC 4517 section 3.3.13."""

import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from radius2fa.directory.drivers import driver_of
from radius2fa.directory.endpoint import parse_url
from radius2fa.directory.inspection.steps import Step
from radius2fa.directory.inspection.timing import difference, generalized_time
from radius2fa.directory.ldap import dialling_of
from radius2fa.directory.link import Broken, dial
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import FaultyLdap, entries, hang_up, in_turn, result
from tests.servers.samba import Samba
from tests.servers.slapd import Slapd

NONE = "not compared: the server tells no time that we may read"


def moment(words: str) -> float:
    return float(subprocess.check_output(["date", "-u", "-d", words, "+%s.%N"]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("199412161032Z", "1994-12-16 10:32 UTC"),
        ("199412160532-0500", "1994-12-16 10:32 UTC"),
        ("20261124120000Z", "2026-11-24 12:00:00 UTC"),
        ("20261124120000.0Z", "2026-11-24 12:00:00 UTC"),
        ("20261124120000.25Z", "2026-11-24 12:00:00.25 UTC"),
        ("20261124120000,5+0130", "2026-11-24 10:30:00.5 UTC"),
        ("20261124120000+02", "2026-11-24 10:00:00 UTC"),
        ("2026112412Z", "2026-11-24 12:00:00 UTC"),
        ("2026112412.5Z", "2026-11-24 12:30:00 UTC"),
        ("202611241200.5Z", "2026-11-24 12:00:30 UTC"),
        ("20161231235960Z", "2017-01-01 00:00:00 UTC"),
        ("00010101000000Z", "0001-01-01 00:00:00 UTC"),
    ],
)
def test_a_generalized_time_is_read_with_fractions_and_zones(text: str, words: str) -> None:
    assert generalized_time(text.encode()) == moment(words)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20261124120000",
        "20261124Z",
        "20261324120000Z",
        "20261124126000Z",
        "20261124120061Z",
        "20261124120000.Z",
        "20261124120000Z ",
        "00000101000000Z",
        "²026112412Z",
    ],
)
def test_what_is_no_generalized_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^no generalized time"):
        generalized_time(text.encode())


def compared(
    settings_url: str, tools: Tools, clock: Clock, now: Callable[[], float] = time.time, **others: object
) -> Step:
    """What is said where our clock says it is `now`."""
    settings = tools.settings(settings_url, **others)  # type: ignore[arg-type]
    driver = driver_of(settings.driver, dialling_of(settings, clock))
    connection = dial(driver, parse_url(settings_url), clock.soon())
    connection.bind(settings.bind_dn, settings.bind_password.get_secret_value(), clock.soon())  # type: ignore[union-attr]
    try:
        return difference(connection, now, clock.soon())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def monitored() -> Iterator[Slapd]:
    with Slapd(extra="database monitor\n") as server:
        yield server


@pytest.mark.parametrize(
    ("ahead", "detail"),
    [
        (0.0, "the directory's differs from ours by less than 2 seconds"),
        (95.5, "the directory's is 1 min 3"),
        (-7260.5, "the directory's is 2 h 1 min"),
    ],
)
def test_the_clock_of_openldap_is_read_in_its_monitor(
    monitored: Slapd, tools: Tools, clock: Clock, ahead: float, detail: str
) -> None:
    step = compared(monitored.uri, tools, clock, lambda: time.time() + ahead)
    assert step.ok is True
    assert step.detail.startswith(detail)
    assert bool(step.remedy) is (abs(ahead) > 30)
    if ahead:
        assert step.detail.endswith(f"{'behind' if ahead > 0 else 'ahead of'} ours: one of them is wrong")


def test_the_clock_of_active_directory_is_read_in_its_root(samba: Samba, tools: Tools, clock: Clock) -> None:
    settings = tools.settings_of(samba)
    account = {"bind_dn": settings.bind_dn, "bind_password": settings.bind_password}
    step = compared(samba.uri, tools, clock, ca_file=samba.ca_file, timeout=4.0, connect_timeout=4.0, **account)
    assert step.detail == "the directory's differs from ours by less than 2 seconds"
    step = compared(samba.uri, tools, clock, lambda: time.time() - 3610, ca_file=samba.ca_file, timeout=4.0, **account)
    assert step.detail.startswith("the directory's is 1 h ")
    assert step.detail.endswith(" ahead of ours: one of them is wrong")


def test_the_clock_of_389_directory_server_is_read_in_its_monitor(
    faulty: FaultyLdap, tools: Tools, clock: Clock
) -> None:
    """The value is the example of currentTime in the reference of the directory servers of this family (Oracle's)."""
    told = moment("2001-02-02 13:11:02 UTC")
    monitor = ("cn=monitor", {"currenttime": [b"20010202131102Z"]})
    faulty.on_search = in_turn(entries(("", {})), entries(monitor))
    step = compared(faulty.uri, tools, clock, lambda: told + 31)
    assert step.detail == "the directory's is 31 s behind ours: one of them is wrong"
    assert [asked.base for asked in faulty.searches] == ["", "cn=monitor"]
    assert {asked.scope for asked in faulty.searches} == {0}


def test_thirty_seconds_are_no_reason_to_warn(faulty: FaultyLdap, tools: Tools, clock: Clock) -> None:
    told = moment("2001-02-02 13:11:02 UTC")
    faulty.on_search = entries(("", {"currentTime": [b"20010202131102.0Z"]}))
    step = compared(faulty.uri, tools, clock, lambda: told + 30)
    assert step == Step("clock", ok=True, detail="the directory's differs from ours by 30 s")


def test_a_slow_answer_was_made_between_question_and_answer(faulty: FaultyLdap, tools: Tools, clock: Clock) -> None:
    told = moment("2001-02-02 13:11:02 UTC")
    faulty.on_search = entries(("", {"currentTime": [b"20010202131102.0Z"]}))
    assert compared(faulty.uri, tools, clock, iter([told - 40, told + 60]).__next__).detail.endswith(" by 10 s")


def test_a_server_that_tells_no_time_is_no_fault(slapd: Slapd, tools: Tools, clock: Clock) -> None:
    assert compared(slapd.uri, tools, clock, ca_file=slapd.ca_file) == Step("clock", ok=True, detail=NONE)


def test_a_time_that_cannot_be_read_is_none(faulty: FaultyLdap, tools: Tools, clock: Clock) -> None:
    faulty.on_search = in_turn(
        entries(("", {"currentTime": [b"noon"]})),
        result("searchResDone", 32),
        entries(("cn=Current", {"monitorTimestamp": []})),
    )
    assert compared(faulty.uri, tools, clock).detail == NONE
    assert [asked.attributes for asked in faulty.searches] == [
        ("currentTime",),
        ("currentTime",),
        ("monitorTimestamp",),
    ]


def test_a_server_that_hangs_up_is_broken(faulty: FaultyLdap, tools: Tools, clock: Clock) -> None:
    faulty.on_search = hang_up
    with pytest.raises(Broken, match="closed"):
        compared(faulty.uri, tools, clock)
