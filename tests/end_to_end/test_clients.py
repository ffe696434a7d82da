"""Real RADIUS clients at the installed program, set up as docs/clients/ says: pam_radius, sshd, ocserv."""

import getpass
from collections.abc import Iterator

import pytest

from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.people import Person
from tests.servers.ocserv import Ocserv
from tests.servers.pam import PamServices, Verdict, pamtester
from tests.servers.slapd import Slapd
from tests.servers.sshd import Sshd
from tests.servers.tls import Authority

# None of these clients sends a Message-Authenticator.
CLIENTS = (
    client("challenging", "127.0.0.1", code="challenge", require_message_authenticator=False),
    client("appending", "127.0.0.2", code="appended", require_message_authenticator=False),
    client("ocserv", "127.0.0.3", code="either", require_message_authenticator=False),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("clients"), slapd, ready, clients=CLIENTS) as house:
        yield house


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, house: House) -> Iterator[PamServices]:
    """PAM services: `challenging` and `appending`, by the client's name, and `sshd`."""
    with PamServices(tmp_path_factory.mktemp("pam")) as services:
        for service, name in (("challenging", "challenging"), ("appending", "appending"), ("sshd", "challenging")):
            source = house.clients[name]["addresses"][0]
            services.add(service, house.program.port, house.secret(name), source, "prompt_attribute")
        yield services


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory, services: PamServices) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd"), services) as server:
        yield server


@pytest.fixture(scope="module")
def me(house: House) -> Person:
    """Who runs the tests, in the directory: the one whom an sshd of ours can let in, root or not."""
    return house.person(getpass.getuser())


@pytest.fixture(scope="module")
def ocserv(tmp_path_factory: pytest.TempPathFactory, house: House, authority: Authority) -> Iterator[Ocserv]:
    folder = tmp_path_factory.mktemp("ocserv")
    port, secret = house.program.port, house.secret("ocserv")
    with Ocserv(folder, authority, radius_port=port, secret=secret, source="127.0.0.3") as server:
        yield server


# ---- pam_radius


def test_pam_radius_asks_for_the_code_and_lets_in(house: House, services: PamServices) -> None:
    alice = house.person()

    tested = pamtester(services, "challenging", alice.uid, [alice.password, alice.code()])

    assert tested == Verdict("Password: One-time code:pamtester: successfully authenticated\n", let_in=True)
    assert house.journal(alice.uid) == [("challenge", None), ("accept", None)]


def test_pam_radius_refuses_a_wrong_code(house: House, services: PamServices) -> None:
    alice = house.person()

    tested = pamtester(services, "challenging", alice.uid, [alice.password, alice.wrong_code()])

    assert tested == Verdict("Password: One-time code:pamtester: Authentication failure\n", let_in=False)
    assert house.reasons(alice.uid) == ["wrong-code"]


def test_pam_radius_refuses_a_code_that_was_used(house: House, services: PamServices) -> None:
    alice = house.person()
    typed = [alice.password, alice.code()]

    assert pamtester(services, "challenging", alice.uid, typed).let_in
    again = pamtester(services, "challenging", alice.uid, typed)

    assert again == Verdict("Password: One-time code:pamtester: Authentication failure\n", let_in=False)
    assert house.reasons(alice.uid) == ["code-already-used"]


def test_pam_radius_asks_for_a_code_before_it_refuses_a_wrong_password(house: House, services: PamServices) -> None:
    alice = house.person()

    tested = pamtester(services, "challenging", alice.uid, [b"wrong", alice.code()])

    assert tested == Verdict("Password: One-time code:pamtester: Authentication failure\n", let_in=False)
    assert house.reasons(alice.uid) == ["wrong-password"]


def test_pam_radius_takes_an_appended_code_once(house: House, services: PamServices) -> None:
    alice = house.person()
    typed = [alice.typed()]

    first, second = (pamtester(services, "appending", alice.uid, typed) for _ in range(2))

    assert first == Verdict("Password: pamtester: successfully authenticated\n", let_in=True)
    assert second == Verdict("Password: pamtester: Authentication failure\n", let_in=False)
    assert house.reasons(alice.uid) == ["code-already-used"]


# ---- sshd, by pam_radius


def test_ssh_shows_both_prompts_and_lets_in_once(house: House, sshd: Sshd, me: Person) -> None:
    answers = [me.password.decode(), me.code().decode()]

    first, second = (sshd.login(me.uid, answers, "echo here I am") for _ in range(2))

    asked = f"({me.uid}@127.0.0.1)"
    assert first.prompts == second.prompts == [f"{asked} Password: ", f"{asked} One-time code:"], sshd.log()
    assert (first.printed, first.let_in) == ("here I am\n", True), sshd.log()
    assert (second.printed, second.let_in) == ("", False)
    assert house.reasons(me.uid) == ["code-already-used"]


# ---- ocserv


def test_ocserv_shows_a_second_form_and_lets_in(house: House, ocserv: Ocserv) -> None:
    alice = house.person()

    login = ocserv.login(alice.uid, [alice.password, alice.code()])

    assert login.let_in, login.shown + ocserv.log()
    assert "\nOne-time code:\n" in login.shown
    assert house.journal(alice.uid) == [("challenge", None), ("accept", None)]


def test_ocserv_takes_an_appended_code_without_a_second_form(house: House, ocserv: Ocserv) -> None:
    alice = house.person()

    login = ocserv.login(alice.uid, [alice.typed()])

    assert login.let_in, login.shown + ocserv.log()
    assert "One-time code:" not in login.shown
    assert house.journal(alice.uid) == [("accept", None)]


def test_ocserv_refuses_a_wrong_code(house: House, ocserv: Ocserv) -> None:
    alice = house.person()

    login = ocserv.login(alice.uid, [alice.password, alice.wrong_code()])

    assert not login.let_in
    assert "401 Authentication failed" in login.shown
    assert house.reasons(alice.uid) == ["wrong-code"]
