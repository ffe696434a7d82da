"""ldap3 under our hands: each of its traps, by name."""

import gc
import logging
import math
import os
import resource
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from subprocess import run
from sys import executable

import ldap3
import pytest
from ldap3.utils.log import OFF, get_library_log_detail_level

from radius2fa.directory.diagnosis import verdict_of
from radius2fa.directory.drivers.ldap3_driver import Ldap3Connection, Ldap3Driver
from radius2fa.directory.endpoint import Endpoint, parse_url
from radius2fa.directory.link import LONGEST_ANSWER, Broken, Dialling, dial
from radius2fa.directory.terms import Result, Scope, Search
from radius2fa.directory.tls import Tls
from radius2fa.login.ports import BindResult
from tests.directory.conftest import Clock
from tests.directory.drivers.messages import answer_with_control, integer, long_form, notice_of_disconnection
from tests.directory.drivers.reached import reachable
from tests.servers.faulty_ldap import INVALID_CREDENTIALS, FaultyLdap, entries, in_turn, octets, result, silence
from tests.servers.slapd import Slapd, person_dn

PASSWORD = b"user-Pa55"
SEARCH = Search("dc=x", Scope.SUBTREE, "(uid=alice)", ("uid",), 2, 4)


@pytest.fixture
def dialling(clock: Clock) -> Dialling:
    """In the clear."""
    return Dialling(Tls(), start_tls=False, connect_timeout=1.0, timeout=1.5, clock=clock)


@pytest.fixture
def connection(faulty: FaultyLdap, dialling: Dialling, clock: Clock) -> Iterator[Ldap3Connection]:
    made = Ldap3Driver(dialling).connect(parse_url(faulty.uri), clock.soon())
    yield made
    made.close()


def test_an_answer_is_an_enum_where_ldap3_s_tuple_would_be_true(
    faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock
) -> None:
    faulty.on_bind = result("bindResponse", INVALID_CREDENTIALS)
    safe = ldap3.Connection(
        ldap3.Server("127.0.0.1", faulty.port, get_info=ldap3.NONE), "cn=x", b"wrong", client_strategy=ldap3.SAFE_SYNC
    )
    assert bool(safe.bind()) is True
    safe.unbind()
    assert verdict_of(connection.bind("cn=x", b"wrong", clock.soon())) is BindResult.WRONG_PASSWORD


def test_ldap3_neither_follows_referrals_nor_polls_nor_asks_on_its_own(connection: Ldap3Connection) -> None:
    under = connection._ldap
    assert (under.strategy_type, under.auto_referrals, under.auto_range) == (ldap3.SYNC, False, False)
    assert under.server.allowed_referral_hosts == []
    assert (under.server.get_info, under.check_names, under.lazy) == (ldap3.NONE, False, False)


def test_an_exchange_starts_no_thread(connection: Ldap3Connection, clock: Clock) -> None:
    """As the strategies would that look for an answer every 50 ms."""
    before = {thread.ident for thread in threading.enumerate() if "ldap3" in str(vars(thread))}
    connection.bind("cn=x", PASSWORD, clock.soon())
    connection.search(SEARCH, clock.soon())
    assert {thread.ident for thread in threading.enumerate() if "ldap3" in str(vars(thread))} == before == set()


def test_both_time_outs_are_set(connection: Ldap3Connection) -> None:
    under = connection._ldap
    assert 0 < under.server.connect_timeout <= 1.0
    assert under.receive_timeout == math.ceil(1.5)


def test_a_bind_connects_once_and_is_the_first_thing_that_is_sent(
    faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock
) -> None:
    """ldap3 would read the root entry and the schema around it."""
    connection.bind("cn=x", PASSWORD, clock.soon())
    assert (faulty.connections, faulty.binds, faulty.searches) == (1, [("cn=x", PASSWORD)], [])


def test_a_dn_is_sent_as_the_directory_gave_it(faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock) -> None:
    """Nothing takes it apart, nothing is put into it, and nothing of it is normalised."""
    given = 'uid=a\\2Cb\\ +CN="x, y",  OU=Größe\\00,dc=Example'
    faulty.on_search = entries((given, {}))
    ((found,), _) = connection.search(SEARCH, clock.soon())
    connection.bind(found.dn, PASSWORD, clock.soon())
    assert faulty.binds == [(given, PASSWORD)]


# Secrets


@pytest.mark.parametrize("code", [0, INVALID_CREDENTIALS, 4711])
def test_no_password_stays_in_a_connection_or_its_request(
    faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock, code: int
) -> None:
    """ldap3 keeps it as `password`, in `request`, and among the outstanding requests, and shows it in its repr."""
    faulty.on_bind = result("bindResponse", code)
    try:
        connection.bind("cn=x", PASSWORD, clock.soon())
    except Broken:
        connection.close()
    assert (connection._ldap.user, connection._ldap.password, connection._ldap.request) == (None, None, None)
    kept = [thing for thing in reachable(connection) if isinstance(thing, str | bytes)]
    assert "127.0.0.1" in kept
    assert [thing for thing in kept if "Pa55" in str(thing)] == []
    assert "Pa55" not in repr(connection._ldap) + repr(connection) + str(connection._ldap)


def test_ldap3_logs_nothing(
    faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert get_library_log_detail_level() == OFF
    connection.bind("cn=x", PASSWORD, clock.soon())
    faulty.on_bind = silence
    with pytest.raises(Broken):
        connection.bind("cn=x", PASSWORD, clock.soon(0.05))
    assert caplog.records == []


def test_importing_ldap3_warns_nobody_in_a_real_run() -> None:
    """Only `-W` or a test run shows what pyasn1 says of ldap3."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHONW")}
    program = "import radius2fa.directory.ldap"
    done = run([executable, "-c", program], env=environment, capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


# Octets that no server should send


@pytest.mark.parametrize(
    "answer",
    [
        octets(b"0\x84\xff\xff\xff\xff" + b"x" * LONGEST_ANSWER),
        octets(b"0\xff" + b"\xff" * LONGEST_ANSWER),
    ],
)
def test_an_endless_answer_is_given_up(
    faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock, answer: object
) -> None:
    faulty.on_search = answer  # type: ignore[assignment]
    with pytest.raises(Broken, match="an answer of an impossible length"):
        connection.search(SEARCH, clock.soon())


def test_a_notice_of_disconnection_is_a_farewell(faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock) -> None:
    """RFC 4511 section 4.4.1."""
    faulty.on_search = octets(notice_of_disconnection())
    with pytest.raises(Broken, match="the server takes leave"):
        connection.search(SEARCH, clock.soon())


def begin_tls(faulty: FaultyLdap, clock: Clock, seconds: float) -> None:
    dial(Ldap3Driver(Dialling(Tls(), True, 1.0, seconds, clock)), parse_url(faulty.uri), clock.soon())  # noqa: FBT003 - one of its fields


def test_an_answer_to_start_tls_that_would_keep_ldap3_busy_for_hours_is_given_up(
    faulty: FaultyLdap, clock: Clock
) -> None:
    """Lengths that run over those around them double the work of ldap3's fast decoder with every four octets."""
    levels = 30
    end = 4 * levels + 4
    nested = b"".join(b"\x30\x02\x30" + bytes([end - 4 * level - 4]) for level in range(levels)) + b"\x04\x00\x04\x00"
    faulty.on_extended = octets(b"0" + bytes([len(nested)]) + nested)
    with pytest.raises(Broken, match="the answer cannot be read"):
        begin_tls(faulty, clock, 1.5)


def test_a_dn_that_is_no_utf_8_is_no_answer(faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock) -> None:
    faulty.on_search = lambda message_id: entries(("uid=a,dc=x", {}))(message_id).replace(b"uid=a", b"uid=\xe4")
    with pytest.raises(Broken, match="the answer cannot be read"):
        connection.search(SEARCH, clock.soon())


# Octets that servers do send


def test_the_long_lengths_of_active_directory_are_read(
    faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock
) -> None:
    body = bytes.fromhex("0a010004000400")
    faulty.on_bind = lambda message_id: long_form(0x30, integer(message_id), long_form(0x61, body))
    assert connection.bind_external(clock.soon()) == Result(0, "")


def test_active_directory_names_the_operation_in_its_answer_to_start_tls(faulty: FaultyLdap, clock: Clock) -> None:
    """RFC 4511 section 4.14.2 lets a server do so; OpenLDAP does not. TLS, which this server has not, would follow."""
    body = bytes.fromhex("0a010004000400") + b"\x8a\x161.3.6.1.4.1.1466.20037"
    faulty.on_extended = lambda message_id: long_form(0x30, integer(message_id), long_form(0x78, body))
    with pytest.raises(Broken, match="no TLS"):
        begin_tls(faulty, clock, 0.3)


def test_a_control_that_nobody_asked_for_is_passed_by(
    faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock
) -> None:
    """389 Directory Server, and so FreeIPA, adds one to a bind when the password is about to expire."""
    body = bytes.fromhex("61070a010004000400")
    name = b"\x04\x172.16.840.1.113730.3.4.5"
    controls = long_form(0xA0, long_form(0x30, name, b"\x04\x0586400"))
    faulty.on_bind = lambda message_id: long_form(0x30, integer(message_id), body, controls)
    assert connection.bind_external(clock.soon()) == Result(0, "")


@pytest.mark.parametrize("broken", [b"", b"\x30", b"\x30\x03\x81\x01", b"\x04\x03\x81\x01\x02", b"\xff" * 9])
def test_a_broken_password_policy_control_changes_no_verdict_and_breaks_no_connection(
    faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock, broken: bytes
) -> None:
    faulty.on_bind = in_turn(
        answer_with_control(INVALID_CREDENTIALS, broken),
        answer_with_control(0, broken),
        answer_with_control(INVALID_CREDENTIALS, b"\x30\x03\x81\x01\x01"),
        answer_with_control(0, b"\x30\x03\x81\x01\x02"),
    )
    verdicts = [verdict_of(connection.bind_external(clock.soon())) for _ in range(4)]
    assert verdicts == [
        BindResult.WRONG_PASSWORD,
        BindResult.OK,
        BindResult.ACCOUNT_LOCKED,
        BindResult.PASSWORD_MUST_CHANGE,
    ]
    assert faulty.connections == 1


def test_controls_that_are_no_controls_make_an_answer_that_is_none(
    faulty: FaultyLdap, connection: Ldap3Connection, clock: Clock
) -> None:
    """A success in a message that is no LDAP is none."""
    body = bytes.fromhex("61070a010004000400")
    faulty.on_bind = lambda message_id: long_form(0x30, integer(message_id), body, long_form(0xA0, b"\x30\x02\x04"))
    with pytest.raises(Broken, match="the answer cannot be read"):
        connection.bind_external(clock.soon())


# Opening


def test_a_server_that_takes_no_connection_ends_in_the_connect_time_out(dialling: Dialling, clock: Clock) -> None:
    """The kernel keeps no more than one connection for a listener that asks for none, and drops the others' packets."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as busy, socket.create_connection(busy.getsockname()):
        endpoint = parse_url(f"ldap://127.0.0.1:{busy.getsockname()[1]}")
        start = clock()
        with pytest.raises(Broken, match="no connection in time"):
            Ldap3Driver(dialling).connect(endpoint, clock.soon(0.2))
        assert 0.2 <= clock() - start < 1


def test_without_a_socket_to_be_had_the_cause_is_told(dialling: Dialling, clock: Clock) -> None:
    driver = Ldap3Driver(dialling)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(Broken) as broken:
            driver.connect(parse_url("ldap://127.0.0.1:389"), clock.soon())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert broken.value.cause == "no connection: Too many open files"


def test_a_connection_that_could_not_be_made_leaves_no_socket_open(dialling: Dialling, clock: Clock) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Broken, match="no connection: Connection refused"):
            Ldap3Driver(dialling).connect(parse_url("ldap://127.0.0.1:1"), clock.soon())
        gc.collect()


# TLS


def secured(dialling: Dialling, endpoint: Endpoint, clock: Clock) -> Ldap3Connection:
    made = Ldap3Driver(dialling).connect(endpoint, clock.soon())
    made.secure(endpoint, clock.soon())
    return made


@pytest.mark.parametrize("ldaps", [False, True])
def test_the_socket_under_ldap3_is_a_verified_tls_one(slapd: Slapd, clock: Clock, *, ldaps: bool) -> None:
    """By StartTLS too; ldap3 itself would check neither the certificate nor, on Python 3.12, an address in it."""
    url = f"ldaps://127.0.0.1:{slapd.tls_port}" if ldaps else f"ldap://127.0.0.1:{slapd.port}"
    made = secured(Dialling(Tls(slapd.ca_file), not ldaps, 1.0, 1.5, clock), parse_url(url), clock)
    stream = made._ldap.socket._stream
    assert isinstance(stream, ssl.SSLSocket)
    assert (stream.context.verify_mode, stream.context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert stream.version() in ("TLSv1.2", "TLSv1.3")
    assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert verdict_of(made.bind(person_dn("nobody"), b"wrong", clock.soon())) is BindResult.WRONG_PASSWORD
    made.close()
    assert stream.fileno() == -1
