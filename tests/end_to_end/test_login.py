"""Logins that succeed, as real clients make them."""

from contextlib import ExitStack

import pytest

from tests.end_to_end.conftest import CROWD, CROWD_PASSWORD
from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import Person, new_seed
from tests.end_to_end.radius import (
    ACCEPT,
    CHALLENGE,
    PROMPT,
    REJECT,
    REPLY_MESSAGE,
    SESSION_TIMEOUT,
    STATE,
    at_once,
    login_lines,
    radclient,
    radtest,
)
from tests.servers.slapd import Slapd
from tests.servers.tls import Authority

ALLOWED_IN_A_CHALLENGE = {REPLY_MESSAGE, STATE, SESSION_TIMEOUT, PROMPT}


def test_radtest_gets_in_with_password_and_code_over_plain_ldap(house: House) -> None:
    alice = house.person()

    shown = radtest(alice.uid, alice.typed().decode(), house.program.port, house.secret("appended"))

    assert (shown.name, shown.told) == ("Access-Accept", ())
    assert house.journal(alice.uid) == [("accept", None)]
    assert house.slapd.binds(alice.dn) == 1


def test_radtest_gets_in_over_ipv6(house: House) -> None:
    alice = house.person()

    port = house.program.ports["::1"]
    shown = radtest(alice.uid, alice.typed().decode(), port, house.secret("six"), "-6", host="[::1]")

    assert (shown.name, shown.told) == ("Access-Accept", ())


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_radtest_gets_in_over_tls_with_a_ca_of_ones_own(
    scheme: str, slapd: Slapd, ready: Ready, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Under StartTLS and LDAPS; with the delays and the patience that are the default."""
    url = slapd.uri if scheme == "ldap" else slapd.ldaps_uri
    directory = directory_section(slapd, urls=[url], start_tls=True, ca_file=str(slapd.ca_file))
    server = {"reject_delay": 1.0, "reject_jitter": 0.25, "patience": 4.0, "send_class": True}
    clients = [client("vpn", "127.0.0.1")]
    with House(
        tmp_path_factory.mktemp("tls"), slapd, ready, clients=clients, directory=directory, server=server
    ) as house:
        alice = house.person()

        shown = radtest(alice.uid, alice.typed().decode(), house.program.port, house.secret("vpn"))

        (accepted,) = house.program.wait_for(lambda line: line.get("event") == "accepted")
        assert shown.name == "Access-Accept"
        assert shown.one("Class") == "0x" + accepted["id"].encode().hex(), "send_class names the login"
        with house.nas("vpn") as nas:
            refused = nas.login(alice.uid, alice.password + alice.wrong_code())
        assert refused.code == REJECT
        assert 1.0 <= refused.seconds < 3


def test_a_wrong_ca_is_silence_and_a_clear_log_line(
    slapd: Slapd, ready: Ready, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    directory = directory_section(slapd, urls=[slapd.ldaps_uri], ca_file=str(stranger.ca_file))
    with House(
        tmp_path_factory.mktemp("tls"), slapd, ready, clients=[client("vpn", "127.0.0.1")], directory=directory
    ) as house:
        alice = house.person()
        with house.nas("vpn") as nas:
            nas.send(nas.request(alice.uid, alice.typed()))
            (dropped,) = house.program.wait_for(lambda line: line.get("event") == "dropped")

            assert (dropped["client"], dropped["why"]) == ("vpn", "backend-unavailable")
            assert "certificate" in dropped["detail"]
            assert "radius2fa check" in dropped["remedy"]
            assert nas.silent()
        assert house.journal(alice.uid) == []
        verdict, text = house.program.check(expect=69)[f"{slapd.ldaps_uri} tls"]
        assert verdict == "unavailable"
        assert text.startswith("the certificate is not accepted: ")
        assert "`ca_file`" in text


def test_radclient_answers_a_challenge_once(house: House) -> None:
    alice = house.person()
    port, secret = house.program.port, house.secret("challenge")

    asked = radclient(login_lines(alice.uid, alice.password, "127.0.0.2"), port, secret)
    assert asked.name == "Access-Challenge"
    assert [name for name, _ in asked.told] == ["State", "Session-Timeout", "Prompt", "Reply-Message"]
    assert asked.one("Session-Timeout") == "120"
    assert asked.one("Prompt") == "No-Echo"
    assert asked.one("Reply-Message") == "One-time code:"
    assert len(asked.one("State")) == 2 + 64, "32 hex digits, without a zero octet"
    assert house.slapd.binds(alice.dn) == 0, "no bind before the code"

    code = alice.code()
    state = f"State = {asked.one('State')}"
    answered = radclient(login_lines(alice.uid, code, "127.0.0.2", state), port, secret)
    assert (answered.name, answered.told) == ("Access-Accept", ())
    assert house.slapd.binds(alice.dn) == 1

    again = radclient(login_lines(alice.uid, alice.code(), "127.0.0.2", state), port, secret)
    assert again.name == "Access-Reject"
    assert house.reasons(alice.uid) == ["state-unknown"]
    assert house.journal(alice.uid) == [("challenge", None), ("accept", None), ("reject", "state-unknown")]
    assert house.slapd.binds(alice.dn) == 1


def test_a_client_that_challenges_takes_no_appended_code(house: House) -> None:
    alice = house.person()
    with house.nas("challenge") as nas:
        asked = nas.login(alice.uid, alice.typed())
        assert asked.code == CHALLENGE
        refused = nas.login(alice.uid, alice.code(), state=asked.answer.one(STATE))

    assert refused.code == REJECT
    assert house.reasons(alice.uid) == ["wrong-password"], "the whole string was the password"
    assert house.counter(alice) == 0, "the code is not burned by a wrong password"


def test_either_way_is_the_users_choice(house: House) -> None:
    alice = house.person()
    with house.nas("either") as nas:
        assert nas.login(alice.uid, alice.typed()).code == ACCEPT

        asked = nas.login(alice.uid, alice.password)
        assert asked.code == CHALLENGE
        assert {type_ for type_, _ in asked.told} == ALLOWED_IN_A_CHALLENGE
        assert nas.login(alice.uid, alice.code(), state=asked.answer.one(STATE)).code == ACCEPT
    assert house.slapd.binds(alice.dn) == 2


def test_a_challenge_is_the_same_for_everybody(house: House) -> None:
    """Known or not, with a token or without, with the right password or a wrong one."""
    alice, bob = house.person(), house.person(token=False)
    with house.nas("challenge") as nas:
        replies = [
            nas.login(alice.uid, alice.password),
            nas.login(alice.uid, b"wrong"),
            nas.login(bob.uid, bob.password),
            nas.login("nobody-of-this-name", b"whatever"),
        ]
    assert [reply.code for reply in replies] == [CHALLENGE] * 4
    assert len({tuple(each for each in reply.told if each[0] != STATE) for reply in replies}) == 1
    assert len({reply.answer.one(STATE) for reply in replies}) == 4
    assert {len(reply.answer.one(STATE)) for reply in replies} == {32}


@pytest.mark.parametrize(
    "password",
    [
        "Grüße, Ævar ☃".encode(),
        b"exactly 16 octet",
        b"with 17 octets it",
        b"x" * 100,
        b"ends in 123456",
        b"654321",
        b" blanks around ",
        b'quotes " and \\ and %s',
    ],
)
def test_every_octet_of_the_password_counts(house: House, password: bytes) -> None:
    alice = house.person(password=password)
    with house.nas("appended") as nas:
        assert nas.login(alice.uid, alice.typed()).code == ACCEPT
        assert nas.login(alice.uid, password.decode()[:-1].encode() + alice.code()).code == REJECT
    assert house.reasons(alice.uid) == ["wrong-password"]


def test_umlauts_by_radtest(house: House) -> None:
    alice = house.person(password="Grüße aus Köln".encode())

    shown = radtest(alice.uid, alice.typed().decode(), house.program.port, house.secret("appended"))

    assert shown.name == "Access-Accept"


def test_a_client_that_sends_latin_1(house: House) -> None:
    """The directory gets UTF-8 (RFC 4513 section 5.1.3), whatever the client sends."""
    alice = house.person(password="Grüße".encode())
    with house.nas("latin") as nas:
        assert nas.login(alice.uid, "Grüße".encode("latin-1") + alice.code()).code == ACCEPT
    with house.nas("appended") as nas:
        assert nas.login(alice.uid, "Grüße".encode("latin-1") + alice.code()).code == REJECT
    assert house.reasons(alice.uid) == ["wrong-shared-secret-or-charset"]


def test_a_delimiter_parts_password_and_code(house: House) -> None:
    alice = house.person(password=b"with, comma")
    with house.nas("comma") as nas:
        assert nas.login(alice.uid, alice.password + b"," + alice.code()).code == ACCEPT
        assert nas.login(alice.uid, alice.typed()).code == REJECT
    assert house.reasons(alice.uid) == ["no-code"]


def test_a_button_that_was_pressed_too_often_is_brought_back_by_two_codes(house: House) -> None:
    alice = house.person()
    with house.nas("appended") as nas:
        assert nas.login(alice.uid, alice.typed()).code == ACCEPT
        alice.used = 60
        assert nas.login(alice.uid, alice.typed()).code == REJECT
        assert house.reasons(alice.uid) == ["token-out-of-step"]
        assert nas.login(alice.uid, alice.typed()).code == ACCEPT
    assert house.counter(alice) == 62


def test_a_button_may_be_pressed_ten_times_in_vain(house: House) -> None:
    alice = house.person()
    with house.nas("appended") as nas:
        alice.used = 10
        assert nas.login(alice.uid, alice.typed()).code == ACCEPT
        assert nas.login(alice.uid, alice.password + alice.codes[9]).code == REJECT
    assert house.reasons(alice.uid) == ["code-already-used"]


def test_what_a_policy_grants_is_the_same_after_an_appended_code_and_after_a_challenge(house: House) -> None:
    alice = house.person()
    port, secret = house.program.port, house.secret("vpn")

    appended = radclient(login_lines(alice.uid, alice.typed(), "127.0.0.8"), port, secret)
    asked = radclient(login_lines(alice.uid, alice.password, "127.0.0.8"), port, secret)
    state = f"State = {asked.one('State')}"
    answered = radclient(login_lines(alice.uid, alice.code(), "127.0.0.8", state), port, secret)

    assert [name for name, _ in asked.told] == ["State", "Session-Timeout", "Prompt", "Reply-Message"]
    assert appended.name == answered.name == "Access-Accept"
    assert appended.told == answered.told
    assert appended.told == (
        ("Filter-Id", "staff"),
        ("Cisco-AVPair", "ip:addr-pool=vpn"),
        ("Cisco-AVPair", "shell:priv-lvl=1"),
        ("Tunnel-Private-Group-Id:1", "42"),
    )


def test_three_hundred_people_log_in_at_the_same_instant(house: House) -> None:
    """Two thirds with the right code, a third with a wrong one: everybody gets the answer that is theirs."""
    people = [Person(uid, CROWD_PASSWORD, subject, new_seed()) for uid, subject in CROWD.items()]
    house.enrol(people)
    typed = [
        person.password + (person.wrong_code() if place % 3 == 0 else person.code())
        for place, person in enumerate(people)
    ]
    with ExitStack() as stack:
        sockets = [stack.enter_context(house.nas("appended")) for _ in people]
        requests = [
            (nas, nas.request(person.uid, word)) for nas, person, word in zip(sockets, people, typed, strict=True)
        ]
        codes = [reply.code for reply in at_once(requests)]

    assert codes == [REJECT if place % 3 == 0 else ACCEPT for place in range(len(people))]
    assert [house.counter(person) for person in people] == [int(code == ACCEPT) for code in codes]
