"""The way of a datagram over fakes of the two backends; everything else is the real thing, on a clock that stands."""

import io
import json
import queue
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Any

import pytest
from twisted.internet.task import Clock

from radius2fa.config.model import Log
from radius2fa.config.places import shipped
from radius2fa.config.texts import Texts
from radius2fa.login.attempt import ClientRules, CodeMode
from radius2fa.login.case import House
from radius2fa.login.lockout import LockoutRules, place_rules
from radius2fa.login.policy import Rule, Rules, SecondFactor
from radius2fa.login.ports import BindResult, Entry, Result, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from radius2fa.otp.verify import Windows
from radius2fa.radius.clients import Client, Clients
from radius2fa.radius.dictionary import Dictionary
from radius2fa.server.answer import Answers
from radius2fa.server.health import Health
from radius2fa.server.inforce import InForce
from radius2fa.server.listener import Address, Ancillary, Source
from radius2fa.server.login import Login
from radius2fa.server.logs import open_log
from radius2fa.server.patience import Patience
from radius2fa.server.port import AccessPort
from radius2fa.server.workers import Workers
from tests.fakes.directory import FakeDirectory, ForAnyClient
from tests.fakes.ledger import FakeLedger
from tests.radius.wire import SECRET, Asked, access_request, check_reply, request, status_server

KEY = bytes.fromhex("3132333435363738393031323334353637383930")
NOW = 47251645 * 30.0
GOOD = b"secret063321"  # the code of step 47251645
ACCEPT, REJECT, CHALLENGE = 2, 3, 11


class Reactor(Clock):
    """Twisted's own clock, and a mailbox for what the worker threads deliver."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox: queue.Queue[tuple[Callable[..., Any], tuple[Any, ...]]] = queue.Queue()

    def callFromThread(self, call: Callable[..., Any], *args: Any) -> None:  # noqa: N802 - Twisted's name
        self.mailbox.put((call, args))

    def addReader(self, reader: Any) -> None:  # noqa: N802 - as above
        raise AssertionError(reader)

    removeReader = callInThread = addReader  # noqa: N815 - as above


@dataclass
class Wire:
    """Stands for a listener: what is written to it is kept."""

    sent: list[tuple[bytes, Source]] = field(default_factory=list)

    def fileno(self) -> int:
        return 7

    def source(self, address: Address, ancillary: Ancillary) -> Source:
        return Source(address, ancillary[0][2])

    def write(self, octets: bytes, to: Source) -> bool:
        self.sent.append((octets, to))
        return True


def an_in_force(directory: FakeDirectory, ledger: FakeLedger, health: Health, send_class: bool = False) -> InForce:  # noqa: FBT001, FBT002 - as the key
    """Return what ports go by: two clients, and two policies."""
    staff = Dictionary.load(shipped("dictionaries")).encode("Filter-Id", "staff")
    return InForce(
        clients=Clients(
            [
                Client("vpn", (ip_network("192.0.2.0/24"),), SECRET),
                Client("wiki", (ip_network("198.51.100.1/32"),), SECRET),
            ]
        ),
        rules={name: ClientRules(name, CodeMode.EITHER) for name in ("vpn", "wiki")},
        house=House(
            ForAnyClient(directory),
            ledger,
            lambda size: bytes(range(size)),
            Windows(),
            LockoutRules(),
            place_rules(LockoutRules(), address=20, client=200),
            Rules.of(
                [
                    Rule("home", networks=(ip_network("203.0.113.0/24"),), second_factor=SecondFactor.OFF),
                    Rule("staff", reply=lambda _: (staff,)),
                ]
            ),
        ),
        answers=Answers({"vpn": Texts("Code, please:", "No."), "wiki": Texts("Kod:", "Nie.")}, send_class),
        patience=Patience(4.0, 1.0, 0.25),
        health=health,
    )


class Desk:
    """An access port, and hands that send datagrams to it."""

    def __init__(self, *, backlog: int = 100, send_class: bool = False) -> None:
        self.reactor = Reactor()
        self.wire = Wire()
        self.directory = FakeDirectory()
        self.ledger = FakeLedger()
        self.logins: list[Login] = []
        self.stream = io.StringIO()
        self.alive = True
        alice = self.directory.add("alice", b"secret")
        self.ledger.add(Token("alices", Kind.TOTP, KEY), alice)
        self.clock = self.reactor.seconds
        self.workers = Workers(
            1, backlog=backlog, client_backlog=backlog, clock=self.clock, deliver=self.reactor.callFromThread
        )
        self.workers.start()
        self.in_force = an_in_force(self.directory, self.ledger, Health((self.probe,), self.clock), send_class)
        self.port = AccessPort(
            self.in_force,
            workers=self.workers,
            reactor=self.reactor,
            log=open_log(Log(format="json"), self.stream),
            observers=[self.logins.append],
            clock=self.clock,
            now=lambda: NOW + self.clock(),
        )

    def probe(self, _: float) -> None:
        if not self.alive:
            raise Unavailable("directory", "connection refused")

    def send(self, octets: bytes, *, host: str = "192.0.2.1", port: int = 40000) -> None:
        self.port.receive(self.wire, octets, (host, port), [(0, 8, b"local")])  # type: ignore[arg-type]

    def take(self, **changed: Any) -> list[None]:
        """Let another InForce be taken; the list has an item when the one before is over."""
        over: list[None] = []
        self.in_force = replace(self.in_force, **changed)
        self.port.take(self.in_force, lambda: over.append(None))
        return over

    def work(self) -> None:
        """Let all jobs come back from their thread."""
        while self.workers.busy:
            call, args = self.reactor.mailbox.get(timeout=5)
            call(*args)

    def login(self, asked: Asked) -> None:
        self.send(asked.octets)
        self.work()

    @property
    def drops(self) -> dict[tuple[str, str], int]:
        return dict(self.port.drops.counts)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.workers.stop()


def test_an_accept_leaves_at_once_with_the_policys_attributes(desk: Desk) -> None:
    asked = access_request(b"alice", GOOD, (33, b"one"), (33, b"two"))
    desk.login(asked)
    ((octets, to),) = desk.wire.sent
    answer = check_reply(octets, asked)
    assert (answer.code, answer.one(11)) == (ACCEPT, b"staff")
    assert to == Source(("192.0.2.1", 40000), b"local")


def test_a_challenge_waits_for_its_hour_where_some_need_no_code(desk: Desk) -> None:
    desk.take(patience=Patience(4.0, 1.0, 0.25, challenge=0.15))
    asked = access_request(b"mallory", GOOD)
    desk.login(asked)
    assert (desk.workers.busy, desk.port.under_way) == (0, 1)
    desk.reactor.advance(0.149)
    assert desk.wire.sent == []
    desk.reactor.advance(0.001)
    ((octets, _),) = desk.wire.sent
    assert check_reply(octets, asked).code == CHALLENGE
    assert desk.port.under_way == 0


def test_a_reject_waits_for_its_hour_and_holds_no_thread(desk: Desk) -> None:
    asked = access_request(b"mallory", GOOD, (24, b"0" * 32))  # with a State, so that no challenge follows
    desk.login(asked)
    assert desk.workers.busy == 0
    assert desk.port.under_way == 1
    desk.reactor.advance(0.999)
    assert desk.wire.sent == []
    desk.reactor.advance(0.251)
    assert desk.port.under_way == 0
    answer = check_reply(desk.wire.sent[0][0], asked)
    assert [each for each in answer.attributes if each[0] != 80] == [(18, b"No.")]


def test_every_reason_gives_the_same_reject(desk: Desk) -> None:
    state = (24, b"0" * 32)
    refused = [
        access_request(b"mallory", GOOD, state),
        access_request(b"alice", b""),
        access_request(b"al\0ice", GOOD),
        access_request(b"alice", b"se\0cret063321"),
        access_request(b"alice", b"\xff\xfe"),
        request(1, ((1, b"alice"), (3, bytes(17)))),
    ]
    for number, asked in enumerate(refused):
        desk.send(asked.octets, port=40000 + number)
        desk.work()
    desk.reactor.advance(1.25)
    assert [login.reason for login in desk.logins] == [
        Reason.STATE_UNKNOWN,
        Reason.EMPTY_PASSWORD,
        Reason.BAD_NAME,
        Reason.BAD_PASSWORD,
        Reason.CHARSET,
        Reason.UNSUPPORTED,
    ]
    replies = sorted(desk.wire.sent, key=lambda sent: sent[1].address[1])
    answers = [check_reply(octets, asked) for (octets, _), asked in zip(replies, refused, strict=True)]
    assert {(answer.code, answer.attributes[1:]) for answer in answers} == {(REJECT, ((18, b"No."),))}


def test_a_challenge_holds_state_prompt_and_life_and_no_authorisation(desk: Desk) -> None:
    asked = access_request(b"alice", b"secret")
    desk.login(asked)
    answer = check_reply(desk.wire.sent[0][0], asked)
    assert answer.code == CHALLENGE
    assert answer.one(18) == b"Code, please:"
    assert answer.one(24) == bytes(range(16)).hex().encode()
    assert answer.one(27) == (120).to_bytes(4)
    assert {type_ for type_, _ in answer.attributes} == {80, 18, 24, 27, 76}
    second = access_request(b"alice", b"063321", (24, answer.one(24)), identifier=8)
    desk.login(second)
    assert check_reply(desk.wire.sent[1][0], second).one(11) == b"staff"


def test_each_client_has_its_own_words(desk: Desk) -> None:
    asked = access_request(b"alice", b"secret")
    desk.send(asked.octets, host="198.51.100.1")
    desk.work()
    answer = check_reply(desk.wire.sent[0][0], asked)
    assert (answer.code, answer.one(18)) == (CHALLENGE, b"Kod:")
    second = access_request(b"alice", b"000000", (24, answer.one(24)), identifier=8)
    desk.send(second.octets, host="198.51.100.1")
    desk.work()
    desk.reactor.advance(1.25)
    refused = check_reply(desk.wire.sent[1][0], second)
    assert (refused.code, refused.one(18)) == (REJECT, b"Nie.")


def test_the_users_address_counts_for_the_rules_whatever_the_clients_is(desk: Desk) -> None:
    """By the Framed-IP-Address, since the calling station is no address here."""
    at_home = ((31, b"00-11-22-33-44-55"), (8, bytes([203, 0, 113, 9])))
    asked = access_request(b"alice", b"secret", *at_home)
    desk.login(asked)
    answer = check_reply(desk.wire.sent[0][0], asked)
    assert (answer.code, answer.all(11)) == (ACCEPT, [])
    (login,) = desk.logins
    assert (login.policy, login.factor, login.token) == ("home", "off", None)


def test_class_names_the_login_in_accounting_where_asked_for() -> None:
    desk = Desk(send_class=True)
    asked = access_request(b"alice", GOOD)
    desk.login(asked)
    assert check_reply(desk.wire.sent[0][0], asked).one(25).decode() == desk.logins[0].id == desk.ledger.records[0].id


def test_an_unknown_sender_is_dropped_before_anything_is_parsed(desk: Desk) -> None:
    desk.send(b"", host="203.0.113.1")
    desk.send(access_request(b"alice", GOOD).octets, host="203.0.113.1")
    assert desk.drops == {("unknown-client", ""): 2}
    assert (desk.wire.sent, desk.workers.busy) == ([], 0)


def test_an_unsigned_request_is_dropped_with_the_key_to_set(desk: Desk) -> None:
    desk.send(access_request(b"alice", GOOD, signed=False).octets)
    assert desk.drops == {("no-message-authenticator", "vpn"): 1}
    (line,) = desk.lines
    assert (line["client"], line["address"], line["received"]) == ("vpn", "192.0.2.1", "ACCESS_REQUEST id=7")
    assert "require_message_authenticator" in line["remedy"]


@pytest.mark.parametrize("octets", [b"", b"\1", b"\1\7" + bytes(17)])
def test_a_datagram_too_short_to_name_itself_is_dropped(desk: Desk, octets: bytes) -> None:
    desk.send(octets)
    assert desk.drops == {("too-short", "vpn"): 1}


def test_a_repeated_request_gets_the_same_octets_and_no_second_login(desk: Desk) -> None:
    asked = access_request(b"alice", GOOD)
    desk.send(asked.octets)
    desk.send(asked.octets)
    assert desk.drops == {("repeat-while-in-progress", "vpn"): 1}
    desk.work()
    desk.send(asked.octets)
    first, again = desk.wire.sent
    assert first[0] == again[0]
    assert desk.directory.binds == 1
    assert len(desk.logins) == 1


def test_a_request_that_was_superseded_is_never_answered(desk: Desk) -> None:
    old, new = access_request(b"alice", b"secret"), access_request(b"alice", b"secret")
    desk.send(old.octets)
    desk.send(new.octets)
    desk.work()
    desk.work()
    ((octets, _),) = desk.wire.sent
    check_reply(octets, new)


def test_what_is_above_the_backlog_is_dropped_and_may_be_asked_again() -> None:
    desk = Desk(backlog=1)
    first, second = access_request(b"alice", b"secret"), access_request(b"alice", b"secret", identifier=8)
    desk.send(first.octets)
    desk.send(second.octets)
    assert desk.drops == {("overload", "vpn"): 1}
    assert re.fullmatch("[0-9a-f]{16}", desk.lines[0]["id"])
    desk.work()
    desk.login(second)
    check_reply(desk.wire.sent[1][0], second)


def test_a_breakdown_is_silence_and_the_repetition_is_worked_on_anew(desk: Desk) -> None:
    asked = access_request(b"alice", GOOD)
    desk.directory.down = True
    desk.login(asked)
    desk.reactor.advance(10)
    assert desk.wire.sent == []
    assert desk.drops == {("backend-unavailable", "vpn"): 1}
    assert desk.lines[0]["detail"] == "directory: it is down"
    assert re.fullmatch("[0-9a-f]{16}", desk.lines[0]["id"])
    desk.directory.down = False
    desk.login(asked)
    assert check_reply(desk.wire.sent[0][0], asked).code == ACCEPT


def test_a_bug_is_silence_told_without_what_was_typed(desk: Desk) -> None:
    class Buggy(FakeDirectory):
        def bind(self, entry: Entry, password: bytes, deadline: float) -> BindResult:  # noqa: ARG002 - it has a bug
            raise ValueError(password)

        find = desk.directory.find  # type: ignore[assignment]

    desk.take(house=replace(desk.in_force.house, directory=ForAnyClient(Buggy())))
    desk.login(access_request(b"alice", GOOD))
    assert desk.wire.sent == []
    assert desk.drops == {("internal-error", "vpn"): 1}
    assert desk.lines[0]["detail"].startswith("ValueError in bind (test_port.py:")
    assert "secret" not in desk.stream.getvalue()


def test_a_bug_on_the_way_back_is_silence_too(desk: Desk) -> None:
    def observe(_: Login) -> None:
        raise KeyError("canary")

    desk.port._observers = [observe]
    desk.login(access_request(b"alice", GOOD))
    assert desk.drops == {("internal-error", "vpn"): 1}
    assert desk.lines[0]["id"] == desk.ledger.records[0].id, "it is in the journal under this id"
    assert "canary" not in desk.stream.getvalue()


def test_a_bug_on_the_way_in_costs_one_datagram(desk: Desk) -> None:
    desk.send(None)  # type: ignore[arg-type]
    asked = access_request(b"alice", GOOD)
    desk.login(asked)
    assert check_reply(desk.wire.sent[0][0], asked).code == ACCEPT


def test_a_request_that_waited_too_long_is_given_up(desk: Desk) -> None:
    # The thread looks at the clock when it takes the job up: an arrival that far back is late at once.
    desk.take(patience=Patience(-1.0, 1.0, 0.25))
    desk.login(access_request(b"alice", GOOD))
    assert desk.drops == {("waited-too-long", "vpn"): 1}
    assert desk.ledger.records == []


def test_status_server_is_answered_by_an_accept_that_holds_nothing(desk: Desk) -> None:
    asked = status_server()
    desk.login(asked)
    answer = check_reply(desk.wire.sent[0][0], asked)
    assert (answer.code, [type_ for type_, _ in answer.attributes]) == (ACCEPT, [80])
    assert desk.logins == []


def test_status_server_is_silent_while_a_backend_is_down(desk: Desk) -> None:
    desk.alive = False
    desk.login(status_server())
    assert desk.wire.sent == []
    assert desk.drops == {("backend-unavailable", "vpn"): 1}


def test_attributes_that_find_no_room_give_way_and_are_named(desk: Desk) -> None:
    asked = access_request(b"alice", GOOD, *[(33, bytes(250))] * 15)
    desk.login(asked)
    assert check_reply(desk.wire.sent[0][0], asked).code == ACCEPT
    # The most that is answered leaves 255 octets: State, Session-Timeout and Prompt take 46, the question takes 252.
    desk.take(answers=Answers({"vpn": Texts("?" * 250, "No.")}))
    full = access_request(b"alice", b"secret", *[(33, bytes(251))] * 15, (33, bytes(6)), identifier=8)
    desk.login(full)
    answer = check_reply(desk.wire.sent[1][0], full)
    assert answer.one(24) == bytes(range(16)).hex().encode()
    assert answer.all(18) == []
    *_, line = desk.lines
    assert (line["event"], line["client"], line["left_out"]) == ("reply too long", "vpn", ["Reply-Message"])


def test_whoever_watches_is_told_of_each_login_without_its_secrets(desk: Desk) -> None:
    desk.login(access_request(b"alice", GOOD))
    desk.login(access_request(b"alice", GOOD, identifier=8))
    accepted, challenged = desk.logins
    assert (accepted.result, accepted.client, accepted.name, accepted.address, accepted.token) == (
        Result.ACCEPT,
        "vpn",
        "alice",
        "192.0.2.1",
        "alices",
    )
    assert (accepted.policy, accepted.factor) == ("staff", "totp")
    assert (challenged.policy, challenged.factor) == (None, None)
    assert (accepted.when, accepted.milliseconds) == (NOW, 0.0)
    assert (challenged.result, challenged.reason) == (Result.CHALLENGE, Reason.CODE_ALREADY_USED)
    assert "secret" not in repr(desk.logins)


def test_what_is_taken_counts_from_the_next_datagram_on(desk: Desk) -> None:
    desk.login(access_request(b"alice", GOOD))
    other = [Client("vpn", (ip_network("192.0.2.0/24"),), b"another secret")]
    assert desk.take(clients=Clients(other)) == [None]
    desk.send(access_request(b"alice", GOOD, identifier=1).octets)
    assert desk.drops == {("wrong-message-authenticator", "vpn"): 1}
    asked = access_request(b"alice", GOOD, identifier=2, secret=b"another secret")
    desk.login(asked)
    assert len(desk.wire.sent) == 2


def test_a_request_keeps_to_what_it_began_under(desk: Desk) -> None:
    asked = access_request(b"mallory", GOOD, (24, b"0" * 32))
    desk.send(asked.octets)
    texts = {"vpn": Texts("Code:", "Other words."), "wiki": Texts("Kod:", "Nie.")}
    over = desk.take(answers=Answers(texts), patience=Patience(4.0, 3.0, 0.0))
    desk.work()
    assert over == []
    desk.reactor.advance(1.25)
    assert over == [None]
    ((octets, _),) = desk.wire.sent
    assert check_reply(octets, asked).one(18) == b"No."


def test_what_several_had_in_common_is_not_over_before_the_first_of_them(desk: Desk) -> None:
    desk.send(access_request(b"mallory", GOOD, (24, b"0" * 32)).octets)
    first, second = desk.take(), desk.take()
    desk.work()
    assert (first, second) == ([], [])
    desk.reactor.advance(1.25)
    assert (first, second) == ([None], [None])


def test_a_request_that_fails_is_over_too(desk: Desk) -> None:
    desk.directory.down = True
    desk.send(access_request(b"alice", GOOD).octets)
    over = desk.take()
    desk.work()
    assert desk.drops == {("backend-unavailable", "vpn"): 1}
    assert over == [None]


def test_a_repetition_gets_the_same_octets_after_another_was_taken(desk: Desk) -> None:
    asked = access_request(b"alice", GOOD)
    desk.login(asked)
    desk.take(answers=Answers({}))
    desk.send(asked.octets)
    (first, _), (again, _) = desk.wire.sent
    assert again == first


def test_the_habit_of_each_client_is_noted(desk: Desk) -> None:
    desk.take(
        clients=Clients(
            [
                Client("vpn", (ip_network("192.0.2.0/24"),), SECRET, require_message_authenticator=False),
                Client("wiki", (ip_network("198.51.100.1/32"),), SECRET),
            ]
        )
    )
    desk.login(access_request(b"alice", GOOD))
    desk.reactor.advance(10)
    desk.login(access_request(b"alice", GOOD, identifier=1, signed=False))
    habit = desk.port.habits.of("vpn")
    assert habit is not None
    assert (habit.last, habit.signed, habit.unsigned) == (NOW + 10, 1, 1)
    assert desk.port.habits.of("wiki") is None
