"""What is seen on the way to the directory: one bind for each login, and none without a valid code."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import Person
from tests.servers.proxy import Proxy
from tests.servers.slapd import Slapd

CLIENTS = (
    client("appended", "127.0.0.1"),
    client("challenge", "127.0.0.2", code="challenge"),
    client("either", "127.0.0.3", code="either"),
)


@pytest.fixture(scope="module")
def proxy(slapd: Slapd) -> Iterator[Proxy]:
    with Proxy(slapd.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready, proxy: Proxy) -> Iterator[House]:
    """A house whose way to the directory is watched. It searches anonymously: each bind is a user's."""
    settings = directory_section(slapd, urls=[f"ldap://127.0.0.1:{proxy.port}"])
    folder = tmp_path_factory.mktemp("watched")
    with House(folder, slapd, ready, clients=CLIENTS, directory=settings) as house:
        yield house


@pytest.fixture
def someone(watched: House) -> Person:
    return watched.person()


class Traffic:
    """What passes from one look to the next."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._seen = len(proxy.operations)

    def since(self) -> list[tuple[str, str]]:
        """The requests since the last look, by name, and the DNs of the binds among them."""
        new = self._proxy.operations[self._seen :]
        self._seen += len(new)
        return [(each.name, each.dn) for each in new]


@pytest.fixture
def traffic(watched: House, proxy: Proxy, someone: Person) -> Traffic:
    """What passes once somebody has been looked up, as of now."""
    assert watched.radclient("appended", someone.uid, b"no code").name == "Access-Reject"
    return Traffic(proxy)


def test_a_right_password_with_a_right_code_is_one_bind(watched: House, traffic: Traffic, someone: Person) -> None:
    for _ in range(3):
        assert watched.radclient("appended", someone.uid, someone.typed()).name == "Access-Accept"
        assert traffic.since() == [("bind", someone.dn)]


def test_the_first_login_of_somebody_is_one_search_and_one_bind(watched: House, proxy: Proxy) -> None:
    newcomer = watched.person()
    traffic = Traffic(proxy)
    assert watched.radclient("appended", newcomer.uid, newcomer.typed()).name == "Access-Accept"
    assert traffic.since() == [("search", ""), ("bind", newcomer.dn)]


def test_a_wrong_password_with_a_right_code_is_one_bind(watched: House, traffic: Traffic, someone: Person) -> None:
    assert watched.radclient("appended", someone.uid, b"wrong" + someone.code()).name == "Access-Reject"
    assert [each for each in traffic.since() if each[0] == "bind"] == [("bind", someone.dn)]


@pytest.mark.parametrize("name", ["appended", "either"])
def test_without_a_right_code_there_is_no_bind(watched: House, traffic: Traffic, someone: Person, name: str) -> None:
    wrong = someone.password + someone.wrong_code()
    refused = watched.radclient(name, someone.uid, wrong).name
    assert refused == ("Access-Reject" if name == "appended" else "Access-Challenge")
    watched.radclient(name, someone.uid, someone.password)
    watched.radclient(name, someone.uid, someone.password + b"000000 ")
    assert traffic.since() == []


def test_a_code_that_was_used_causes_no_bind(watched: House, traffic: Traffic, someone: Person) -> None:
    typed = someone.typed()
    assert watched.radclient("appended", someone.uid, typed).name == "Access-Accept"
    assert traffic.since() == [("bind", someone.dn)]
    assert watched.radclient("appended", someone.uid, typed).name == "Access-Reject"
    assert watched.last(someone.uid)[1] == "code-already-used"
    assert traffic.since() == []


def test_a_challenge_asks_for_the_code_before_any_bind(watched: House, traffic: Traffic, someone: Person) -> None:
    asked = watched.radclient("challenge", someone.uid, someone.password)
    assert asked.name == "Access-Challenge"
    assert traffic.since() == []
    state = f"State = {asked.one('State')}"
    assert watched.radclient("challenge", someone.uid, someone.wrong_code(), state).name == "Access-Reject"
    assert traffic.since() == []
    assert watched.come_in("challenge", someone, someone.code()).name == "Access-Accept"
    assert traffic.since() == [("bind", someone.dn)]


def test_a_name_that_nobody_has_is_looked_up_once_and_never_bound(watched: House, proxy: Proxy) -> None:
    traffic = Traffic(proxy)
    for typed in (b"password", b"password123456", b""):
        assert watched.radclient("appended", "nobody-in-sight", typed).name == "Access-Reject"
    assert traffic.since() == [("search", "")]


def test_what_passed_never_mixed_searches_and_binds_on_a_connection(proxy: Proxy) -> None:
    kinds = [{each.name for each in operations} - {"unbind"} for operations in proxy.by_connection()]
    assert {frozenset(each) for each in kinds} == {frozenset({"search"}), frozenset({"bind"})}
