"""Accounting (RFC 2866), by the real radclient and octet for octet: recorded, then acknowledged; or silence."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.radius import ACCEPT, Nas, Shown, radclient
from tests.radius.wire import Asked, accounting_request, check_acknowledgement, status_server
from tests.servers.program import LIMIT
from tests.servers.slapd import Slapd

CLIENTS = [client(name, f"127.0.0.{number}") for number, name in enumerate(("vpn", "foreign", "locked", "asking"), 1)]
ANSWERED = "Accounting-Response"
START = ((40, b"\0\0\0\x01"), (44, b"00C0FFEE"))


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready) -> Iterator[House]:
    """A house that takes accounting, and names each login to its client."""
    server = {"accounting_listen": ["127.0.0.1:0"], "send_class": True}
    with House(tmp_path_factory.mktemp("keeping"), slapd, ready, clients=CLIENTS, server=server) as house:
        yield house


def reported(house: House, status: str, session: str, *more: str, secret: str = "", retries: str = "10") -> Shown:
    """Send one report by the real radclient, and return what came back."""
    lines = [f"Acct-Status-Type = {status}", f'Acct-Session-Id = "{session}"', *more]
    return radclient(lines, house.program.accounting_port, secret or house.secret("vpn"), "-r", retries, kind="acct")


def asked_for_status(house: House, name: str, *more: str) -> Shown:
    """Ask whether there is a server for accounting, by the real radclient as a client."""
    source = f"Packet-Src-IP-Address = {house.clients[name]['addresses'][0]}"
    lines = [source, "Response-Packet-Type = Accounting-Response", *more]
    return radclient(lines, house.program.accounting_port, house.secret(name), kind="status")


def at_accounting(house: House, name: str) -> Nas:
    """Return a socket of a client, for accounting."""
    return Nas(
        str(house.clients[name]["addresses"][0]), ("127.0.0.1", house.program.accounting_port), house.secret(name)
    )


def asked_by(nas: Nas, *attributes: tuple[int, bytes], identifier: int = 1, signed: bool = False) -> Asked:
    return accounting_request(*attributes, secret=nas.secret, identifier=identifier, signed=signed)


def rows(house: House, session: str) -> list[tuple[object, ...]]:
    return house.query("SELECT status, name, login FROM accounting WHERE session = ? ORDER BY number", session)


def test_a_session_is_recorded_from_its_start_to_its_stop_and_tied_to_its_login(keeping: House) -> None:
    alice = keeping.person()
    with keeping.nas("vpn") as nas:
        accepted = nas.login(alice.uid, alice.typed())
    assert accepted.code == ACCEPT
    ours = accepted.answer.one(25)
    who = (f'User-Name = "{alice.uid}"', f"Class = 0x{ours.hex()}", "Proxy-State = 0x6f6e65")

    start = reported(keeping, "Start", "session-1", *who)
    stop = reported(
        keeping,
        "Stop",
        "session-1",
        *who,
        "Acct-Session-Time = 60",
        "Acct-Input-Octets = 5",
        "Acct-Output-Octets = 7",
        "Acct-Output-Gigawords = 1",
        "Acct-Terminate-Cause = User-Request",
        "Framed-IP-Address = 10.8.0.6",
        "Calling-Station-Id = 203.0.113.5",
    )

    assert (start.name, stop.name) == (ANSWERED, ANSWERED), start.text + stop.text
    assert start.told == (("Proxy-State", "0x6f6e65"),)
    ((attempt,),) = keeping.query("SELECT attempt FROM journal WHERE name = ?", alice.uid)
    assert rows(keeping, "session-1") == [("start", alice.uid, attempt), ("stop", alice.uid, attempt)]
    assert keeping.query(
        "SELECT client, seconds, input_octets, output_octets, cause, address, source"
        " FROM accounting WHERE session = ? AND status = 'stop'",
        "session-1",
    ) == [("vpn", 60, 5, 2**32 + 7, "user-request", "10.8.0.6", "203.0.113.5")]
    told = [line["status"] for line in keeping.program.events("accounting") if line["session"] == "session-1"]
    assert told == ["start", "stop"]


@pytest.mark.parametrize("status", ["Interim-Update", "Accounting-On", "Accounting-Off"])
def test_every_other_report_is_acknowledged_too(keeping: House, status: str) -> None:
    assert reported(keeping, status, status).name == ANSWERED
    assert len(rows(keeping, status)) == 1


def test_another_secret_is_silence_and_the_log_says_what_to_do(keeping: House) -> None:
    shown = reported(keeping, "Start", "never", secret="another secret", retries="1")
    assert shown.name == "", shown.text
    (line,) = keeping.program.wait_for(lambda line: line.get("why") == "wrong-request-authenticator")
    assert (line["event"], line["client"], line["address"]) == ("dropped", "vpn", "127.0.0.1")
    assert "shared secret" in line["remedy"]
    assert rows(keeping, "never") == []


@pytest.mark.parametrize("signed", [False, True])
def test_a_repetition_gets_the_same_octets_and_is_recorded_once(keeping: House, *, signed: bool) -> None:
    session = f"repeated-{signed}"
    with at_accounting(keeping, "vpn") as nas:
        asked = asked_by(nas, START[0], (44, session.encode()), (33, b"one"), signed=signed)
        first, second = nas.ask(asked).octets, nas.ask(asked).octets
    assert first == second
    check_acknowledgement(first, asked)
    assert len(rows(keeping, session)) == 1


def test_a_login_at_the_port_of_accounting_is_dropped_and_the_other_way_round(keeping: House) -> None:
    with at_accounting(keeping, "foreign") as accounting, keeping.nas("foreign") as logins:
        assert logins.is_dropped(asked_by(accounting, *START))
        accounting.send(accounting.request("alice", b"secret"))
        (line,) = keeping.program.wait_for(
            lambda line: line.get("why") == "wrong-code" and line["received"].startswith("ACCESS_REQUEST")
        )
        assert accounting.ask(asked_by(accounting, *START, identifier=9)).octets[:2] == b"\x05\x09"
    assert "accounting_listen" in line["remedy"]


def test_while_the_database_is_locked_nothing_is_acknowledged_and_afterwards_the_repetition_is(keeping: House) -> None:
    with at_accounting(keeping, "locked") as nas, at_accounting(keeping, "asking") as asking:
        asked = asked_by(nas, START[0], (44, b"waiting"))
        with closing(sqlite3.connect(keeping.program.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            nas.send(asked)
            (line,) = keeping.program.wait_for(lambda line: line.get("client") == "locked")
            assert (line["event"], line["why"]) == ("dropped", "backend-unavailable")
            assert line["detail"].startswith("database: ")
            assert line["session"] == "waiting"
            asking.send(status_server(secret=asking.secret))  # whether there is a server
            (line,) = keeping.program.wait_for(lambda line: line.get("client") == "asking")
            assert (line["received"], line["why"]) == ("STATUS_SERVER id=7", "backend-unavailable")
            assert nas.silent()
            assert asking.silent()
            other.execute("ROLLBACK")
        check_acknowledgement(nas.ask(asked).octets, asked)
    assert len(rows(keeping, "waiting")) == 1
    assert asked_for_status(keeping, "asking").name == ANSWERED  # by one of its repetitions, once a second


def test_status_server_gets_an_accounting_response_that_radclient_believes(keeping: House) -> None:
    shown = asked_for_status(keeping, "vpn", "Proxy-State = 0x6f6e65")
    assert shown.name == ANSWERED, shown.text
    assert shown.all("Message-Authenticator") != []
    assert shown.told == (("Proxy-State", "0x6f6e65"),)


@pytest.mark.parametrize("status", ["Tunnel-Start", "Link-Stop", "Failed", "4294967295"])
def test_what_is_no_report_of_a_session_is_silence_and_the_log_says_what_it_was(keeping: House, status: str) -> None:
    shown = reported(keeping, status, "never", retries="1")
    assert shown.name == "", shown.text
    keeping.program.wait_for(lambda line: line.get("why") == "no-acct-status-type")
    assert rows(keeping, "never") == []


def test_a_report_that_was_delayed_is_another_one_and_recorded_twice(keeping: House) -> None:
    """RFC 2866 section 5.2: with another Acct-Delay-Time it has another Identifier. Both are of the same moment."""
    for delay in ("0", "600"):
        assert reported(keeping, "Stop", "delayed", f"Acct-Delay-Time = {delay}").name == ANSWERED
    (first,), (second,) = keeping.query("SELECT at FROM accounting WHERE session = ? ORDER BY number", "delayed")
    assert 600 - LIMIT < first - second <= 600


def test_a_report_as_long_as_a_packet_may_be_is_recorded_and_a_longer_one_is_not(keeping: House) -> None:
    filling = ((25, bytes(253)),) * 15 + ((33, bytes(237)),)
    with at_accounting(keeping, "vpn") as nas:
        whole = asked_by(nas, START[0], (44, b"long"), *filling, identifier=3)
        assert len(whole.octets) == 4096
        check_acknowledgement(nas.ask(whole).octets, whole)
        nas.send(asked_by(nas, START[0], (44, b"longer"), *filling, identifier=4))
        keeping.program.wait_for(lambda line: line.get("why") == "bad-length" and "id=4" in line["received"])
        assert nas.silent()
    assert (len(rows(keeping, "long")), rows(keeping, "longer")) == (1, [])


def test_an_unknown_client_is_silence(keeping: House) -> None:
    port, secret = keeping.program.accounting_port, keeping.secret("vpn")
    lines = ["Acct-Status-Type = Start", "Packet-Src-IP-Address = 127.9.9.9"]
    assert radclient(lines, port, secret, "-r", "1", kind="acct").name == ""
    keeping.program.wait_for(lambda line: line.get("why") == "unknown-client" and line["address"] == "127.9.9.9")


def test_check_knows_the_addresses_of_accounting(keeping: House) -> None:
    assert keeping.program.check()["accounting listen 127.0.0.1:0"][0] == "ok"
