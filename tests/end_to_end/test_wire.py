"""What the server does with datagrams: unsigned and repeated ones, Proxy-State, Status-Server (RFC 5080, RFC 5997)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.radius import (
    ACCEPT,
    CHALLENGE,
    MESSAGE_AUTHENTICATOR,
    PROXY_STATE,
    REJECT,
    STATE,
    Nas,
    radclient,
    radtest,
)
from tests.radius import wire
from tests.servers.slapd import Slapd

PROXY_STATES = ((PROXY_STATE, b"first"), (PROXY_STATE, b"\0second"), (PROXY_STATE, b"first"))


@pytest.fixture
def frail(tmp_path_factory: pytest.TempPathFactory, ready: Ready) -> Iterator[House]:
    """A house of its own, whose directory may be stopped and stalled."""
    with Slapd() as slapd:
        directory = directory_section(slapd, timeout=5, connect_timeout=2)
        clients = [client("vpn", "127.0.0.1")]
        with House(tmp_path_factory.mktemp("frail"), slapd, ready, clients=clients, directory=directory) as house:
            yield house


def dropped(house: House, client_name: str, why: str) -> dict[str, Any]:
    """Wait for the log line of a drop."""
    wanted = {"event": "dropped", "client": client_name, "why": why}
    return house.program.wait_for(lambda line: wanted.items() <= line.items())[0]


def test_an_unsigned_request_is_dropped_and_the_log_says_what_to_do(house: House) -> None:
    alice = house.person()
    with house.nas("appended") as nas:
        assert nas.is_dropped(nas.request(alice.uid, alice.typed(), signed=False))

    line = dropped(house, "appended", "no-message-authenticator")
    assert line["address"] == "127.0.0.1"
    assert "require_message_authenticator = false" in line["remedy"]
    assert house.journal(alice.uid) == []
    assert house.counter(alice) == 0


def test_an_unsigned_request_is_answered_where_the_client_may_send_it(house: House) -> None:
    """The reply is signed all the same."""
    alice = house.person()
    with house.nas("unsigned") as nas:
        assert nas.ask(nas.request(alice.uid, alice.typed(), signed=False)).code == ACCEPT


def test_an_unsigned_request_with_proxy_state_is_dropped_even_there(house: House) -> None:
    """That is how replies are forged (CVE-2024-3596)."""
    alice = house.person()
    with house.nas("unsigned") as nas:
        assert nas.is_dropped(nas.request(alice.uid, alice.typed(), *PROXY_STATES, signed=False))
        assert nas.login(alice.uid, alice.typed(), *PROXY_STATES).code == ACCEPT, "signed, it is answered"

    assert "CVE-2024-3596" in dropped(house, "unsigned", "unsigned-proxy-state")["remedy"]


def test_another_secret_is_silence_and_a_log_line(house: House) -> None:
    alice = house.person()
    with house.nas("vpn") as nas:
        foreign = wire.access_request(alice.uid.encode(), alice.typed(), secret=b"another secret", identifier=77)
        assert nas.is_dropped(foreign)

    assert "shared secret" in dropped(house, "vpn", "wrong-message-authenticator")["remedy"]
    assert house.journal(alice.uid) == []


def test_an_unknown_address_gets_no_answer(house: House) -> None:
    with Nas("127.0.0.99", ("127.0.0.1", house.program.port), house.secret("appended")) as nas:
        nas.send(nas.request("alice", b"whatever"))
        house.program.wait_for(lambda line: line.get("why") == "unknown-client" and line["address"] == "127.0.0.99")
        assert nas.silent()


@pytest.mark.parametrize("client_name", ["appended", "challenge"])
def test_proxy_state_comes_back_in_order(house: House, client_name: str) -> None:
    """In every kind of reply, unmodified (RFC 2865 section 5.33); the Message-Authenticator comes first."""
    alice = house.person()
    with house.nas(client_name) as nas:
        if client_name == "challenge":
            asked = nas.login(alice.uid, alice.password, *PROXY_STATES)
            assert asked.code == CHALLENGE
            state = asked.answer.one(STATE)
            replies = [asked, nas.login(alice.uid, alice.code(), *PROXY_STATES, state=state)]
        else:
            replies = [nas.login(alice.uid, alice.typed(), *PROXY_STATES)]
        replies.append(nas.login(alice.uid, b"wrong", *PROXY_STATES, state=b"0" * 32))
    assert [reply.code for reply in replies][-2:] == [ACCEPT, REJECT]
    for reply in replies:
        assert reply.answer.all(PROXY_STATE) == [b"first", b"\0second", b"first"]
        assert reply.answer.attributes[0][0] == MESSAGE_AUTHENTICATOR


def test_a_status_server_is_answered_with_nothing_but_a_signature(house: House) -> None:
    shown = radclient([], house.program.port, house.secret("appended"), kind="status")

    assert (shown.name, shown.told) == ("Access-Accept", ())


def test_a_status_server_gets_no_answer_while_the_directory_is_down(frail: House) -> None:
    """So that clients ask another server; it is answered again when the directory is back."""
    frail.slapd.stop()
    with frail.nas("vpn") as nas:
        nas.send(wire.status_server(secret=nas.secret, identifier=nas.next_identifier()))
        line = dropped(frail, "vpn", "backend-unavailable")
        assert line["received"] == "STATUS_SERVER id=0"
        assert nas.silent()
    frail.slapd.start()
    shown = radclient([], frail.program.port, frail.secret("vpn"), kind="status")
    assert shown.name == "Access-Accept"


@pytest.mark.parametrize("right", [True, False])
def test_a_repeated_datagram_gets_the_same_octets_and_is_not_worked_on_again(house: House, right: bool) -> None:  # noqa: FBT001 - a parameter
    alice = house.person()
    with house.nas("appended") as nas:
        asked = nas.request(alice.uid, (alice.password if right else b"wrong") + alice.code())
        first, second = nas.ask(asked), nas.ask(asked)

    assert first.code == (ACCEPT if right else REJECT)
    assert second.octets == first.octets
    assert house.slapd.binds(alice.dn) == 1
    assert len(house.journal(alice.uid)) == 1


def test_a_hundred_copies_while_the_directory_is_slow_make_one_bind(frail: House) -> None:
    alice = frail.person()
    with frail.nas("vpn") as nas:
        assert nas.login(alice.uid, alice.typed()).code == ACCEPT  # the lookup is remembered, a connection is open
        asked = nas.request(alice.uid, alice.typed())
        frail.slapd.stall()
        for _ in range(100):
            nas.send(asked)
        dropped(frail, "vpn", "repeat-while-in-progress")
        frail.slapd.resume()
        octets = nas.receive()
        assert wire.check_reply(octets, asked).code == ACCEPT
        assert {nas.ask(asked).octets, *nas.pending()} == {octets}

    assert frail.slapd.binds(alice.dn) == 2
    assert frail.journal(alice.uid) == [("accept", None)] * 2


def test_a_new_request_under_the_same_identifier_is_a_new_login(house: House) -> None:
    """Proxies send many users from one port, so identifiers come round within seconds."""
    alice, bob = house.person(), house.person()
    with house.nas("appended") as nas:
        secret = nas.secret
        one = nas.ask(wire.access_request(alice.uid.encode(), alice.typed(), secret=secret, identifier=9))
        other = nas.ask(wire.access_request(bob.uid.encode(), b"wrong" + bob.code(), secret=secret, identifier=9))

    assert (one.code, other.code) == (ACCEPT, REJECT)


def test_a_login_fails_in_silence_while_the_directory_is_down_and_costs_no_code(frail: House) -> None:
    alice = frail.person()
    frail.slapd.stop()
    with frail.nas("vpn") as nas:
        asked = nas.request(alice.uid, alice.typed())
        nas.send(asked)
        dropped(frail, "vpn", "backend-unavailable")
        assert nas.silent()
        assert frail.journal(alice.uid) == []
        frail.slapd.start()
        shown = radtest(alice.uid, (alice.password + alice.codes[0]).decode(), frail.program.port, frail.secret("vpn"))
    assert shown.name == "Access-Accept"
