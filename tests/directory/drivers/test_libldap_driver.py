"""libldap under our hands: each of its traps, by name."""

import gc
import json
import os
import resource
import socket
import ssl
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from subprocess import run
from sys import executable
from types import TracebackType
from typing import Self
from urllib.parse import quote

import ldap
import pytest
from cryptography.x509 import load_der_x509_certificate

from radius2fa.directory.diagnosis import verdict_of
from radius2fa.directory.drivers import driver_of
from radius2fa.directory.drivers.libldap_codec import Codec
from radius2fa.directory.drivers.libldap_driver import LibldapConnection, LibldapDriver
from radius2fa.directory.endpoint import parse_url
from radius2fa.directory.link import LONGEST_ANSWER, LONGEST_IDLE, Broken, Dialling, dial
from radius2fa.directory.terms import Found, Page, Result, Scope, Search
from radius2fa.directory.tls import Tls
from radius2fa.login.ports import BindResult
from tests.directory.conftest import Clock
from tests.directory.drivers.messages import answer_with_control, integer, long_form, notice_of_disconnection
from tests.directory.drivers.reached import reachable
from tests.servers.faulty_ldap import (
    INVALID_CREDENTIALS,
    REFERRAL,
    Answer,
    FaultyLdap,
    entries,
    hang_up,
    in_turn,
    octets,
    reset,
    result,
    silence,
)
from tests.servers.slapd import ADMIN, ADMIN_PASSWORD, PEOPLE, SUFFIX, Slapd, person_dn

PASSWORD = b"user-Pa55"
SEARCH = Search("dc=x", Scope.SUBTREE, "(uid=alice)", ("uid",), 2, 4)


@pytest.fixture
def dialling(clock: Clock) -> Dialling:
    """In the clear."""
    return Dialling(Tls(), start_tls=False, connect_timeout=1.0, timeout=1.5, clock=clock)


@pytest.fixture
def connection(faulty: FaultyLdap, dialling: Dialling, clock: Clock) -> Iterator[LibldapConnection]:
    made = LibldapDriver(dialling).connect(parse_url(faulty.uri), clock.soon())
    yield made
    made.close()


@pytest.mark.parametrize(
    "body",
    [
        "61060a0004000400",
        "610702010004000400",
        "610701010004000400",
        "610704010004000400",
        "610b0a05000000000004000400",
        "61070a010004000400" + "61070a013104000400",
        "61070a010004000400" + "a100",
    ],
)
def test_only_a_code_of_one_to_four_octets_in_its_right_place_is_a_success(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock, body: str
) -> None:
    """Without octets; an INTEGER, a BOOLEAN, an OCTET STRING; five octets; two answers in one; another part."""
    message = bytes.fromhex(body)
    faulty.on_bind = lambda number: bytes([0x30, 3 + len(message), 2, 1, number]) + message
    with pytest.raises(Broken, match="the answer cannot be read"):
        connection.bind_external(clock.soon())


def test_the_shortest_success_is_one(faulty: FaultyLdap, connection: LibldapConnection, clock: Clock) -> None:
    message = bytes.fromhex("61070a010004000400")
    faulty.on_bind = lambda number: bytes([0x30, 3 + len(message), 2, 1, number]) + message
    assert connection.bind_external(clock.soon()) == Result(0, "")


@pytest.fixture
def real(slapd: Slapd, clock: Clock) -> Iterator[LibldapConnection]:
    """To slapd, by StartTLS."""
    made = dial(LibldapDriver(Dialling(Tls(slapd.ca_file), True, 1.0, 1.5, clock)), parse_url(slapd.uri), clock.soon())  # noqa: FBT003 - one of its fields
    assert isinstance(made, LibldapConnection)
    yield made
    made.close()


# What is sent


def test_a_bind_connects_once_and_is_the_first_thing_that_is_sent(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock
) -> None:
    connection.bind("cn=x", PASSWORD, clock.soon())
    assert (faulty.connections, faulty.binds, faulty.searches) == (1, [("cn=x", PASSWORD)], [])


@pytest.mark.parametrize("password", [b"\xff\xfe", "Größe".encode(), b"x" * 100, b"y" * 70_000, b"pass\0word"])
def test_a_password_is_sent_as_it_is(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock, password: bytes
) -> None:
    """Whether it may be sent is decided elsewhere."""
    assert connection.bind("cn=x", password, clock.soon()) == Result(0, "")
    assert faulty.binds == [("cn=x", password)]


def test_a_dn_is_sent_as_the_directory_gave_it(faulty: FaultyLdap, connection: LibldapConnection, clock: Clock) -> None:
    """Nothing takes it apart, nothing is put into it, and nothing of it is normalised."""
    given = 'uid=a\\2Cb\\ +CN="x, y",  OU=Größe\\00,dc=Example'
    faulty.on_search = entries((given, {}))
    ((found,), _) = connection.search(SEARCH, clock.soon())
    connection.bind(found.dn, PASSWORD, clock.soon())
    assert faulty.binds == [(given, PASSWORD)]


@pytest.mark.parametrize("base", ["dc=a\0b", "dc=\ud800"])
def test_a_base_that_c_or_utf_8_cannot_hold_is_not_sent(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock, base: str
) -> None:
    with pytest.raises(Broken, match="the request cannot be made") as broken:
        connection.search(Search(base, Scope.BASE, "(uid=a)", ("uid",), 0, 0), clock.soon())
    assert (broken.value.sent, broken.value.late, faulty.searches) == (False, False, [])


def test_a_dn_that_utf_8_cannot_hold_is_not_sent(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock
) -> None:
    with pytest.raises(Broken, match="the request cannot be made") as broken:
        connection.bind("cn=\ud800", PASSWORD, clock.soon())
    assert (broken.value.sent, broken.value.late, faulty.binds) == (False, False, [])


def test_a_filter_that_is_none_is_not_sent(faulty: FaultyLdap, connection: LibldapConnection, clock: Clock) -> None:
    with pytest.raises(Broken, match="the request cannot be made: Bad search filter") as broken:
        connection.search(Search("dc=x", Scope.BASE, "(uid=", ("uid",), 0, 0), clock.soon())
    assert (broken.value.sent, faulty.searches) == (False, [])


def test_a_search_is_asked_for_as_it_was_wanted(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock
) -> None:
    """Scopes and aliases are the numbers of RFC 4511 section 4.5.1: 0 is the base alone, 2 all below; 0 is never."""
    connection.search(Search("dc=Ä", Scope.BASE, "(uid=a)", ("uid", "CN"), 0, 0), clock.soon())
    connection.search(Search("", Scope.SUBTREE, "(uid=a)", ("1.1",), 7, 9), clock.soon())
    seen = [
        (one.base, one.scope, one.aliases, one.size_limit, one.time_limit, one.attributes) for one in faulty.searches
    ]
    assert seen == [("dc=Ä", 0, 0, 0, 0, ("uid", "CN")), ("", 2, 0, 7, 9, ("1.1",))]


def test_a_request_that_is_longer_than_any_buffer_goes_as_a_whole(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock
) -> None:
    """A pair of sockets holds some 200 kB."""
    names = tuple(f"attribute{number}" + "x" * 20_000 for number in range(50))
    connection.search(Search("dc=x", Scope.BASE, "(uid=a)", names, 0, 0), clock.soon())
    assert faulty.searches[0].attributes == names


# What comes back


def test_a_success_and_a_refusal_are_the_server_s_words(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock
) -> None:
    faulty.on_bind = in_turn(
        result("bindResponse", 0, "wie schön"),
        result("bindResponse", INVALID_CREDENTIALS, "data 775, v3839"),
        result("bindResponse", 4711, "?"),
        result("bindResponse", REFERRAL, "not here", "ldap://127.0.0.1:9/"),
        result("bindResponse", 0),
    )
    told = [connection.bind_external(clock.soon()) for _ in range(5)]
    assert told == [
        Result(0, "wie schön"),
        Result(INVALID_CREDENTIALS, "data 775, v3839"),
        Result(4711, "?"),
        Result(REFERRAL, "not here"),
        Result(0, ""),
    ]


def test_entries_are_kept_where_the_size_limit_is_exceeded(slapd: Slapd, real: LibldapConnection, clock: Clock) -> None:
    """python-ldap raises an exception then, which has no entries."""
    slapd.add_person("limit1", "x")
    slapd.add_person("limit2", "x")
    found, told = real.search(Search(PEOPLE, Scope.SUBTREE, "(uid=limit*)", ("UID",), 1, 4), clock.soon())
    assert (len(found), told.code) == (1, 4)
    assert found[0].attributes["uid"] in ((b"limit1",), (b"limit2",))


def test_names_of_attributes_are_in_lower_case_and_values_are_octets(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock
) -> None:
    faulty.on_search = entries(("uid=a", {"objectGUID": [b"\xff\0\xfe"], "CN": [b"", b"b"], "empty": []}))
    found, _ = connection.search(SEARCH, clock.soon())
    assert found == [Found("uid=a", {"objectguid": (b"\xff\0\xfe",), "cn": (b"", b"b"), "empty": ()})]


def test_a_reference_is_told_and_a_referral_is_a_result(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0)
        url = f"ldap://127.0.0.1:{elsewhere.getsockname()[1]}/dc=x"
        faulty.on_search = in_turn(
            entries(("uid=a", {}), elsewhere=url), result("searchResDone", REFERRAL, referral=url)
        )
        assert connection.search(SEARCH, clock.soon()) == ([Found("uid=a", {})], Result(0, "", referred=True))
        assert connection.search(SEARCH, clock.soon()) == ([], Result(REFERRAL, ""))
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_pages_follow_each_other(slapd: Slapd, real: LibldapConnection, clock: Clock) -> None:
    for number in range(5):
        slapd.add_person(f"paged{number}", "x")
    names, cookie = [], b""
    while True:
        page = Page(2, cookie)
        found, told = real.search(Search(PEOPLE, Scope.SUBTREE, "(uid=paged*)", ("uid",), 0, 4, page), clock.soon())
        names.append([one.attributes["uid"][0] for one in found])
        cookie = told.cookie
        if not cookie:
            break
    assert [len(page) for page in names] == [2, 2, 1]
    assert sorted(chain.from_iterable(names)) == [f"paged{number}".encode() for number in range(5)]


def test_an_entry_that_is_a_referral_is_read_with_manage_dsa_it(
    slapd: Slapd, real: LibldapConnection, clock: Clock
) -> None:
    slapd.change(
        f"dn: ou=far,{SUFFIX}\nobjectClass: referral\nobjectClass: extensibleObject\nou: far\nref: ldap://127.0.0.1:9/\n",
        "-a",
    )
    search = Search(f"ou=far,{SUFFIX}", Scope.BASE, "(objectClass=*)", ("ou",), 0, 4)
    assert real.search(search, clock.soon())[1].code == REFERRAL
    there = Search(search.base, Scope.BASE, "(objectClass=*)", ("ou",), 0, 4, manage_dsa_it=True)
    assert real.search(there, clock.soon()) == ([Found(search.base, {"ou": (b"far",)})], Result(0, ""))
    slapd.change(f"dn: ou=far,{SUFFIX}\nchangetype: delete\n", "-M")


@pytest.mark.parametrize("broken", [b"", b"\x30", b"\x30\x03\x81\x01", b"\x04\x03\x81\x01\x02", b"\xff" * 9])
def test_a_broken_password_policy_control_changes_no_verdict_and_breaks_no_connection(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock, broken: bytes
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


def test_the_long_lengths_of_active_directory_are_read(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock
) -> None:
    body = bytes.fromhex("0a010004000400")
    faulty.on_bind = lambda message_id: long_form(0x30, integer(message_id), long_form(0x61, body))
    assert connection.bind_external(clock.soon()) == Result(0, "")


# Octets that no server should send: some of them end the process, where libldap or python-ldap reads them


def with_bad_referral(kind: str) -> Answer:
    """python-ldap makes text of the referral, fails, and goes on with a null pointer."""
    return lambda message_id: result(kind, REFERRAL, "x", "ldap://a")(message_id).replace(b"ldap://a", b"ldap://\xff")


def with_empty_oid(message_id: int) -> bytes:
    """libldap asserts that the name of an extended response is not empty."""
    body = bytes.fromhex("0a0100040004008a00")
    return bytes([0x30, 5 + len(body), 2, 1, message_id, 0x78, len(body)]) + body


def too_long(message_id: int) -> bytes:
    """A string that would end behind the message."""
    return result("bindResponse", 49, "ab")(message_id).replace(b"\x04\x02ab", b"\x04\x7fab")


UNREADABLE: tuple[tuple[str, Answer], ...] = (
    ("cannot be read", with_bad_referral("bindResponse")),
    ("another question", with_empty_oid),
    ("another question", lambda _: with_empty_oid(7)),
    ("takes leave", lambda _: with_empty_oid(0)),
    ("takes leave", octets(notice_of_disconnection())),
    ("cannot be read", octets(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    ("cannot be read", octets(bytes.fromhex("3080020101610a0a0100040004000000"))),
    ("cannot be read", octets(bytes.fromhex("3085010000000c"))),
    ("cannot be read", octets(bytes.fromhex("300c 0401 01 6107 0a0100 0400 0400".replace(" ", "")))),
    ("cannot be read", octets(bytes.fromhex("3000"))),
    ("cannot be read", too_long),
    ("another question", result("searchResDone", 0)),
    ("another question", result("extendedResp", 0)),
    ("another question", lambda message_id: result("bindResponse", 0)(message_id + 8)),
    ("another question", lambda message_id: result("bindResponse", 0)(message_id) * 2),
    ("another question", lambda message_id: result("bindResponse", 0)(message_id) + b"0"),
    ("another question", entries(("uid=a", {}), code=0)),
    ("closed the connection", hang_up),
    ("connection broke", reset),
)


@pytest.mark.parametrize(("cause", "answer"), UNREADABLE)
def test_anything_but_one_bind_response_breaks_the_connection_and_nothing_more(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock, cause: str, answer: Answer
) -> None:
    faulty.on_bind = answer
    with pytest.raises(Broken, match=cause) as broken:
        connection.bind_external(clock.soon())
    assert (broken.value.sent, broken.value.late) == (True, False)


@pytest.mark.parametrize(
    "answer",
    [
        lambda message_id: entries(("uid=a,dc=x", {}))(message_id).replace(b"uid=a", b"uid=\xe4"),
        lambda message_id: entries(("uid=a,dc=x", {}))(message_id).replace(b"uid=a", b"uid=\0"),
        lambda message_id: entries(("uid=a,dc=x", {"cnn": [b"x"]}))(message_id).replace(b"cnn", b"c\xe4n"),
        with_bad_referral("searchResDone"),
        answer_with_control(0, b"x", b"1.\xff.6", operation=0x65),
        answer_with_control(0, b"", b"1.2.840.113556.1.4.319", operation=0x65),
        lambda message_id: long_form(
            0x30, integer(message_id), bytes.fromhex("65070a010004000400"), long_form(0xA0, b"\x30\x02\x04")
        ),
    ],
)
def test_an_answer_to_a_search_that_is_no_text_or_no_control_cannot_be_read(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock, answer: Answer
) -> None:
    """Of a DN that is no UTF-8 every text would be a guess, and lead to another entry."""
    faulty.on_search = answer
    with pytest.raises(Broken, match="the answer cannot be read"):
        connection.search(SEARCH, clock.soon())


@pytest.mark.parametrize(
    "answer",
    [
        octets(b"0\x84\xff\xff\xff\xff" + b"x" * LONGEST_ANSWER),
        lambda message_id: entries(("uid=a", {"x": [b"y" * 60_000]}))(message_id)[:-14] * 20,
    ],
)
def test_an_endless_answer_is_given_up(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock, answer: Answer
) -> None:
    """Whether in one message or in many."""
    faulty.on_search = answer
    with pytest.raises(Broken, match="an answer of an impossible length"):
        connection.search(SEARCH, clock.soon())


def test_an_answer_of_many_pieces_and_of_long_messages_is_read(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock
) -> None:
    values = [bytes([65 + number]) * 300_000 for number in range(3)]
    faulty.on_search = entries(*[(f"uid={number}", {"x": [value]}) for number, value in enumerate(values)])
    found, _ = connection.search(SEARCH, clock.soon())
    assert [one.attributes["x"] for one in found] == [(value,) for value in values]


# Deadlines


SLOWLY: tuple[tuple[str, Callable[[FaultyLdap], None]], ...] = (
    ("silence", lambda faulty: setattr(faulty, "on_bind", silence)),
    ("an octet now and then", lambda faulty: setattr(faulty, "pace", 0.05)),
    ("half a message", lambda faulty: setattr(faulty, "on_bind", octets(bytes.fromhex("300c0201")))),
    ("no more than a tag", lambda faulty: setattr(faulty, "on_bind", octets(b"0"))),
    ("a length and no end", lambda faulty: setattr(faulty, "on_bind", octets(bytes.fromhex("3084000fffff0201")))),
)


@pytest.mark.parametrize("slowly", [slowly for _, slowly in SLOWLY], ids=[name for name, _ in SLOWLY])
@pytest.mark.parametrize(("seconds", "timeout"), [(0.2, 5.0), (5.0, 0.2)])
def test_an_exchange_ends_at_its_deadline_and_its_time_out(
    faulty: FaultyLdap, clock: Clock, slowly: Callable[[FaultyLdap], None], seconds: float, timeout: float
) -> None:
    slowly(faulty)
    driver = LibldapDriver(Dialling(Tls(), start_tls=False, connect_timeout=1.0, timeout=timeout, clock=clock))
    connection = driver.connect(parse_url(faulty.uri), clock.soon())
    start = clock()
    with pytest.raises(Broken, match="no answer in time") as broken:
        connection.bind("cn=x", PASSWORD, clock.soon(seconds))
    assert 0.2 <= clock() - start < 0.4
    assert (broken.value.sent, broken.value.late) == (True, True)
    connection.close()


def test_nothing_is_sent_after_the_deadline(faulty: FaultyLdap, connection: LibldapConnection, clock: Clock) -> None:
    with pytest.raises(Broken, match="no answer in time") as broken:
        connection.bind("cn=x", PASSWORD, clock() - 1)
    assert (broken.value.sent, broken.value.late, faulty.binds) == (False, True, [])


def test_start_tls_ends_in_time_octet_by_octet(faulty: FaultyLdap, clock: Clock) -> None:
    faulty.pace = 0.05
    driver = LibldapDriver(Dialling(Tls(), start_tls=True, connect_timeout=1.0, timeout=0.2, clock=clock))
    connection = driver.connect(parse_url(faulty.uri), clock.soon())
    start = clock()
    with pytest.raises(Broken, match="no answer in time") as broken:
        connection.secure(parse_url(faulty.uri), clock.soon())
    assert 0.2 <= clock() - start < 0.4
    assert (broken.value.sent, broken.value.late) == (False, True)
    connection.close()


class Trickling:
    """Passes on what one client says to a server, and what that says: an octet in 20 ms, once it is to be `slow`."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.slow = threading.Event()
        self._ending = threading.Event()
        self._server = socket.create_connection(("127.0.0.1", port))
        self._threads = [threading.Thread(target=self._forth)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._server.close()
        self._listener.close()

    def _forth(self) -> None:
        client, _ = self._listener.accept()
        back = threading.Thread(target=self._back, args=(client,))
        with client, suppress(OSError):
            back.start()
            while said := client.recv(4096):
                self._server.sendall(said)
        back.join(5)

    def _back(self, client: socket.socket) -> None:
        with suppress(OSError):
            while said := self._server.recv(4096):
                pieces = [bytes([octet]) for octet in said] if self.slow.is_set() else [said]
                for piece in pieces:
                    client.sendall(piece)
                    self._ending.wait(0.02 if self.slow.is_set() else 0)


@pytest.mark.parametrize("within", ["the handshake", "a record"])
def test_tls_ends_in_time_octet_by_octet(slapd: Slapd, clock: Clock, within: str) -> None:
    """libldap itself would be busy for ever in the handshake: it has no time-out there."""
    with Trickling(slapd.tls_port) as trickling:
        endpoint = parse_url(f"ldaps://127.0.0.1:{trickling.port}")
        tls = Tls(slapd.ca_file)
        driver = LibldapDriver(Dialling(tls, start_tls=False, connect_timeout=1.0, timeout=0.4, clock=clock))
        connection = driver.connect(endpoint, clock.soon())
        ask: Callable[[float], object] = partial(connection.secure, endpoint)
        if within == "a record":
            ask(clock.soon())
            connection.bind("", b"", clock.soon())
            ask = partial(connection.bind, "cn=x", PASSWORD)
        trickling.slow.set()
        start = clock()
        with pytest.raises(Broken, match=r"^no (TLS|answer) in time$") as broken:
            ask(clock.soon())
        assert 0.4 <= clock() - start < 0.7
        assert broken.value.late is True
        connection.close()


# Opening and closing


def test_a_server_that_takes_no_connection_ends_in_the_connect_time_out(dialling: Dialling, clock: Clock) -> None:
    """The kernel keeps no more than one connection for a listener that asks for none, and drops the others' packets."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as busy, socket.create_connection(busy.getsockname()):
        endpoint = parse_url(f"ldap://127.0.0.1:{busy.getsockname()[1]}")
        start = clock()
        with pytest.raises(Broken, match="no connection in time") as broken:
            LibldapDriver(dialling).connect(endpoint, clock.soon(0.2))
        assert 0.2 <= clock() - start < 1
        assert broken.value.sent is False


def test_a_connection_that_could_not_be_made_leaves_no_socket_open(
    dialling: Dialling, clock: Clock, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Broken, match="no connection: Connection refused"):
            LibldapDriver(dialling).connect(parse_url("ldap://127.0.0.1:1"), clock.soon())
        nowhere = parse_url(f"ldapi://{quote(str(tmp_path / 'none'), safe='')}")
        with pytest.raises(Broken, match="no connection: No such file or directory"):
            LibldapDriver(dialling).connect(nowhere, clock.soon())
        gc.collect()


def test_without_a_socket_to_be_had_the_cause_is_told(dialling: Dialling, clock: Clock) -> None:
    driver = LibldapDriver(dialling)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(Broken) as broken:
            driver.connect(parse_url("ldap://127.0.0.1:389"), clock.soon())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert broken.value.cause == "no connection: Too many open files"


def test_no_connection_is_tried_after_the_deadline(faulty: FaultyLdap, dialling: Dialling, clock: Clock) -> None:
    with pytest.raises(Broken, match="no time left"):
        LibldapDriver(dialling).connect(parse_url(faulty.uri), clock())
    assert faulty.connections == 0


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_closed_connection_has_taken_leave_and_leaves_no_file_open(
    slapd: Slapd, dialling: Dialling, clock: Clock
) -> None:
    before = open_files()
    made = LibldapDriver(dialling).connect(parse_url(f"ldap://127.0.0.1:{slapd.port}"), clock.soon())
    made.bind("", b"", clock.soon())
    unbinds = slapd.log().count(" UNBIND")
    made.close()
    made.close()
    assert open_files() == before
    while slapd.log().count(" UNBIND") == unbinds and clock.soon(0) < clock.soon():
        time.sleep(0.01)
    assert slapd.log().count(" UNBIND") == unbinds + 1


@pytest.mark.parametrize("answer", [hang_up, octets(b"no LDAP"), silence])
def test_a_broken_connection_leaves_no_file_open(
    faulty: FaultyLdap, dialling: Dialling, clock: Clock, answer: Answer
) -> None:
    faulty.on_bind = answer
    before = open_files()
    made = LibldapDriver(dialling).connect(parse_url(faulty.uri), clock.soon())
    with pytest.raises(Broken):
        made.bind("cn=x", PASSWORD, clock.soon(0.1))
    faulty.drop_connections()
    made.close()
    assert open_files() - before <= 1, "the other end is the server's, which may be closing it yet"


def test_a_connection_is_usable_while_it_is_fresh_and_nothing_has_come(
    connection: LibldapConnection, clock: Clock
) -> None:
    assert connection.usable() is True
    clock.advance(LONGEST_IDLE - 1)
    assert connection.usable() is True
    connection.bind("cn=x", PASSWORD, clock.soon())
    clock.advance(LONGEST_IDLE - 1)
    assert connection.usable() is True
    clock.advance(2)
    assert connection.usable() is False


def test_a_connection_that_the_server_has_closed_is_not_usable(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock
) -> None:
    connection.bind("cn=x", PASSWORD, clock.soon())
    faulty.drop_connections()
    while connection.usable() and clock.soon(0) < clock.soon():
        time.sleep(0.01)
    assert connection.usable() is False


# This machine, and who we are there


def test_a_socket_of_this_machine_is_reached_without_tls_and_tells_who_we_are(slapd: Slapd, clock: Clock) -> None:
    """slapd names whom the kernel has told it (man slapd, peercred)."""
    driver = LibldapDriver(Dialling(Tls(slapd.ca_file), start_tls=True, connect_timeout=1.0, timeout=1.5, clock=clock))
    made = dial(driver, parse_url(slapd.ldapi_uri), clock.soon())
    assert made.certificate() is None
    assert made.bind_external(clock.soon()) == Result(0, "")
    known = f'BIND dn="gidNumber={os.getgid()}+uidNumber={os.getuid()},cn=peercred,cn=external,cn=auth" mech=EXTERNAL'
    assert known in slapd.log()
    assert made.bind(ADMIN, ADMIN_PASSWORD.encode(), clock.soon()) == Result(0, "")
    made.close()


def test_an_external_bind_that_is_refused_is_a_result(real: LibldapConnection, clock: Clock) -> None:
    """Under TLS without a certificate of ours."""
    told = real.bind_external(clock.soon())
    assert (told.code, verdict_of(told)) != (0, BindResult.OK)
    assert told.diagnosis != ""


def test_an_external_bind_that_nobody_answers_ends_in_time(dialling: Dialling, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        made = LibldapDriver(dialling).connect(parse_url(f"ldap://127.0.0.1:{mute.getsockname()[1]}"), clock.soon())
        start = clock()
        with pytest.raises(Broken, match="no answer in time"):
            made.bind_external(clock.soon(0.2))
        assert 0.2 <= clock() - start < 0.4
        made.close()


# TLS


@pytest.mark.parametrize("ldaps", [False, True])
def test_the_socket_is_a_verified_tls_one(slapd: Slapd, clock: Clock, *, ldaps: bool) -> None:
    """By the name and by the address. libldap itself takes another name than the URL's where that is localhost."""
    for host in ("localhost", "127.0.0.1", "[::1]"):
        url = f"ldaps://{host}:{slapd.tls_port}" if ldaps else f"ldap://{host}:{slapd.port}"
        driver = LibldapDriver(Dialling(Tls(slapd.ca_file), not ldaps, 1.0, 1.5, clock))
        made = dial(driver, parse_url(url), clock.soon())
        assert isinstance(made, LibldapConnection)
        stream = made._wire._stream
        assert isinstance(stream, ssl.SSLSocket)
        assert (stream.context.verify_mode, stream.context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert stream.version() in ("TLSv1.2", "TLSv1.3")
        assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        certificate = load_der_x509_certificate(made.certificate() or b"")
        assert certificate.subject.rfc4514_string() == "CN=localhost"
        assert verdict_of(made.bind(person_dn("nobody"), b"wrong", clock.soon())) is BindResult.WRONG_PASSWORD
        made.close()
        assert stream.fileno() == -1


# libldap's own configuration


LDAPRC = """\
URI ldap://127.0.0.1:9
BASE dc=nowhere
TLS_REQCERT never
TLS_CACERT /nonexistent
REFERRALS on
DEREF always
SIZELIMIT 1
TIMELIMIT 1
TIMEOUT 60
NETWORK_TIMEOUT 60
VERSION 2
SASL_NOCANON off
"""

UNDER_ITS_CONFIGURATION = """
import json, sys, time
from pathlib import Path
from radius2fa.directory.drivers.libldap_driver import LibldapDriver
from radius2fa.directory.endpoint import parse_url
from radius2fa.directory.link import Broken, Dialling, dial
from radius2fa.directory.terms import Scope, Search
from radius2fa.directory.tls import Tls
from ldap import OPT_X_TLS_REQUIRE_CERT, OPT_X_TLS_NEVER, get_option

plain, secure, authority = sys.argv[1:]
assert get_option(OPT_X_TLS_REQUIRE_CERT) == OPT_X_TLS_NEVER, "libldap has read its configuration"
soon = lambda: time.monotonic() + 4
in_the_clear = LibldapDriver(Dialling(Tls(), False, 1.0, 1.5, time.monotonic))
connection = dial(in_the_clear, parse_url(plain), soon())
asked = Search("dc=x", Scope.SUBTREE, "(uid=a)", ("uid",), 0, 0)
print(json.dumps([connection.search(asked, soon())[1].code for _ in range(2)]))
print(json.dumps(connection.bind("cn=x", b"Pa55", soon()).code))
connection.close()
for ca_file in (Path(authority), None):
    try:
        dial(LibldapDriver(Dialling(Tls(ca_file), False, 1.0, 1.5, time.monotonic)), parse_url(secure), soon()).close()
        print(json.dumps("trusted"))
    except Broken as broken:
        print(json.dumps(broken.cause))
"""


def test_no_configuration_of_libldap_s_changes_anything(slapd: Slapd, faulty: FaultyLdap, tmp_path: Path) -> None:
    (tmp_path / ".ldaprc").write_text(LDAPRC)
    names = (line.split() for line in LDAPRC.splitlines())
    environment = os.environ | {f"LDAP{name}": value for name, value in names} | {"HOME": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0)
        url = f"ldap://127.0.0.1:{elsewhere.getsockname()[1]}/dc=x"
        faulty.on_search = in_turn(entries(elsewhere=url), result("searchResDone", REFERRAL, referral=url))
        arguments = [faulty.uri, slapd.ldaps_uri, str(slapd.ca_file)]
        done = run(
            [executable, "-c", UNDER_ITS_CONFIGURATION, *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            check=True,
            text=True,
        )
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    searched, bound, trusted, refused = map(json.loads, done.stdout.splitlines())
    assert (searched, bound, trusted) == ([0, REFERRAL], 0, "trusted")
    assert refused.startswith("the certificate is not accepted: ")
    assert [(one.aliases, one.size_limit, one.time_limit) for one in faulty.searches] == [(0, 0, 0)] * 2
    assert (faulty.binds, done.stderr) == ([("cn=x", b"Pa55")], "")


# Secrets


@pytest.mark.parametrize("code", [0, INVALID_CREDENTIALS, 4711])
def test_no_password_stays_in_a_connection(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock, code: int
) -> None:
    faulty.on_bind = result("bindResponse", code)
    connection.bind("cn=x", PASSWORD, clock.soon())
    kept = [thing for thing in reachable(connection) if isinstance(thing, str | bytes)]
    assert [thing for thing in kept if "Pa55" in str(thing)] == []
    assert "Pa55" not in repr(connection) + repr(vars(connection)) + repr(vars(connection._codec))


def test_no_password_is_in_the_traces_of_python_ldap_and_libldap(
    faulty: FaultyLdap, connection: LibldapConnection, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both write requests to the standard error where somebody in the process has asked them to."""
    ldap._trace_level = 9
    ldap.set_option(ldap.OPT_DEBUG_LEVEL, 0xFFFF)
    try:
        Codec().farewell()
        connection.bind("cn=x", PASSWORD, clock.soon())
        faulty.on_bind = silence
        with pytest.raises(Broken):
            connection.bind("cn=x", PASSWORD, clock.soon(0.05))
    finally:
        ldap._trace_level = 0
    assert faulty.binds == [("cn=x", PASSWORD)] * 2
    assert ldap.get_option(ldap.OPT_DEBUG_LEVEL) == 0
    assert "Pa55" not in "".join(capfd.readouterr())


# Threads


def test_a_server_that_stalls_holds_up_nobody_on_another_connection(
    faulty: FaultyLdap, slapd: Slapd, dialling: Dialling, clock: Clock
) -> None:
    """16 at once, half of which get no answer; the others do many exchanges in that time."""
    faulty.on_bind = silence
    together = threading.Barrier(16)
    lasted: dict[int, tuple[str, float]] = {}

    def stalled(number: int) -> None:
        made = LibldapDriver(dialling).connect(parse_url(faulty.uri), clock.soon())
        together.wait(10)
        start = clock()
        try:
            made.bind("cn=x", PASSWORD, clock.soon(1.0))
        except Broken as broken:
            lasted[number] = (broken.cause, clock() - start)
        made.close()

    def well(number: int) -> None:
        made = LibldapDriver(dialling).connect(parse_url(f"ldap://127.0.0.1:{slapd.port}"), clock.soon())
        together.wait(10)
        start = clock()
        codes = {made.bind(ADMIN, ADMIN_PASSWORD.encode(), clock.soon()).code for _ in range(20)}
        lasted[number] = (repr(codes), clock() - start)
        made.close()

    threads = [threading.Thread(target=stalled if number % 2 else well, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert {lasted[number][0] for number in range(1, 16, 2)} == {"no answer in time"}
    assert max(lasted[number][1] for number in range(1, 16, 2)) < 1.4
    assert {lasted[number][0] for number in range(0, 16, 2)} == {"{0}"}
    assert max(lasted[number][1] for number in range(0, 16, 2)) < 1.0, "or they would have waited for the others"


# The choice


def test_the_driver_is_chosen_by_its_name(dialling: Dialling) -> None:
    assert type(driver_of("libldap", dialling)) is LibldapDriver
    assert type(driver_of("ldap3", dialling)).__name__ == "Ldap3Driver"


def test_without_python_ldap_the_key_and_what_to_install_are_told(
    dialling: Dialling, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("_ldap", "radius2fa.directory.drivers.libldap_driver", "radius2fa.directory.drivers.libldap_codec"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "_ldap", None)
    cause = r"^driver: libldap needs python-ldap .*pip install 'radius2fa\[libldap\]'.*libldap-dev and libsasl2-dev$"
    with pytest.raises(ValueError, match=cause):
        driver_of("libldap", dialling)


def test_ldap3_needs_no_libldap() -> None:
    program = "import sys; sys.modules['_ldap'] = None; import radius2fa.directory.drivers.ldap3_driver"
    done = run([executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout == ""
