import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from radius2fa.config.model import Mail
from radius2fa.portal.letter import Letter
from radius2fa.portal.post import Postman, UnusableMail, written
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority

LETTER = Letter("alice@example.org", "A token was added", "Hello Alice,\n\nA token was added.\n.\nNot you? Call us.\n")


class Log:
    """What the postman has written."""

    def __init__(self) -> None:
        self.lines: list[Mapping[str, Any]] = []
        self.logger: Any = structlog.wrap_logger(None, processors=[self._note], wrapper_class=structlog.BoundLogger)
        self._written = threading.Condition()

    def wait_for(self, lines: int) -> list[Mapping[str, Any]]:
        with self._written:
            assert self._written.wait_for(lambda: len(self.lines) >= lines, 10)
        return self.lines

    def _note(self, _: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        with self._written:
            self.lines.append({"level": method, **event})
            self._written.notify_all()
        raise structlog.DropEvent


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def mail_to(server: SmtpServer, **more: Any) -> Mail:
    return Mail.model_validate(
        {"server": "localhost", "port": server.port, "security": "none", "sender": "2fa@example.org"} | more
    )


@contextmanager
def postman(mail: Mail, log: Log, name: str = "Example Corp") -> Iterator[Callable[[Letter], None]]:
    running = Postman(mail, name, log.logger)
    running.start()
    yield running
    running.stop()


def refused(log: Log, mail: Mail) -> str:
    """Return why a letter was not sent."""
    with postman(mail, log) as post:
        post(LETTER)
        (line,) = log.wait_for(1)
    assert (line["level"], line["event"], line["to"]) == ("error", "mail not sent", LETTER.to)
    assert "Hello" not in repr(line)
    return str(line["why"])


def test_a_letter_comes_as_it_was_written(log: Log) -> None:
    with SmtpServer() as server:
        with postman(mail_to(server), log) as post:
            post(LETTER)
            (received,) = server.wait_for(1)
        assert (received.sender, received.recipients) == ("2fa@example.org", ("alice@example.org",))
        message = received.message
        assert message.get_content().replace("\r\n", "\n") == LETTER.text
        assert message["Subject"] == LETTER.subject
        assert str(message["From"]) == "Example Corp <2fa@example.org>"
        assert str(message["To"]) == "alice@example.org"
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["Message-ID"].endswith("@example.org>")
        assert message["Date"].datetime.tzinfo is not None
    assert log.lines == [{"level": "info", "event": "mail sent", "to": LETTER.to}]


def test_a_letter_may_be_in_any_language(log: Log) -> None:
    letter = Letter("alice@example.org", "Schlüssel hinzugefügt", "Grüße ☃\n")
    with SmtpServer() as server, postman(mail_to(server), log, "Müller & Söhne") as post:
        post(letter)
        (received,) = server.wait_for(1)
        assert received.octets.isascii()
        assert received.message["Subject"] == "Schlüssel hinzugefügt"
        assert received.message["From"].addresses[0].display_name == "Müller & Söhne"
        assert received.message.get_content().strip() == "Grüße ☃"


# Encryption


def test_with_starttls_the_account_and_the_letter_come_encrypted(log: Log, authority: Authority) -> None:
    with SmtpServer(authority.good(), account="portal:correct horse") as server:
        mail = mail_to(server, security="starttls", ca_file=authority.ca_file, user="portal", password=b"correct horse")
        with postman(mail, log) as post:
            post(LETTER)
            (received,) = server.wait_for(1)
    assert (received.tls, received.account) == (True, "portal:correct horse")


def test_with_tls_it_is_encrypted_from_the_first_octet(log: Log, authority: Authority) -> None:
    with (
        SmtpServer(authority.good(), tls_at_once=True) as server,
        postman(mail_to(server, security="tls", ca_file=authority.ca_file), log) as post,
    ):
        post(LETTER)
        (received,) = server.wait_for(1)
    assert received.tls


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_of_another_name_gets_neither_account_nor_letter(
    log: Log, authority: Authority, security: str
) -> None:
    with SmtpServer(authority.wrong_name(), tls_at_once=security == "tls", account="r:x") as server:
        mail = mail_to(server, security=security, ca_file=authority.ca_file, user="r", password=b"x")
        assert "certificate verify failed: Hostname mismatch" in refused(log, mail)
    assert (server.received, server.accounts) == ([], [])


def test_a_server_of_an_authority_that_is_not_trusted_gets_nothing(log: Log, authority: Authority) -> None:
    with SmtpServer(authority.good(), account="r:x") as server:
        assert "certificate verify failed" in refused(
            log, mail_to(server, security="starttls", user="r", password=b"x")
        )
    assert (server.received, server.accounts) == ([], [])


def test_a_server_that_offers_no_encryption_gets_nothing(log: Log) -> None:
    """As whoever is in between would have it, by taking the offer out."""
    with SmtpServer(account="r:x") as server:
        mail = mail_to(server, security="starttls", user="r", password=b"x")
        assert "STARTTLS" in refused(log, mail)
    assert (server.received, server.accounts) == ([], [])


def test_an_authority_that_cannot_be_read_is_told_at_the_start(log: Log, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_text("no certificate")
    with SmtpServer() as server:
        for path, why in (
            (garbage, "holds no certificate in PEM"),
            (tmp_path / "gone", "cannot be read: No such file"),
        ):
            with pytest.raises(UnusableMail, match=why):
                Postman(mail_to(server, ca_file=path), "x", log.logger)


# What goes wrong


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ({"": "554 go away"}, "554 go away"),
        ({"RCPT": "550 5.1.1 nobody of this name"}, "550 5.1.1 nobody of this name"),
        ({"MAIL": "452 4.3.1 no room"}, "452 4.3.1 no room"),
        ({"DATA": "451 later \x1b[31m"}, "451 later \\x1b[31m"),
    ],
)
def test_what_the_server_says_is_in_the_log(log: Log, says: dict[str, str], why: str) -> None:
    with SmtpServer(says=says) as server:
        assert refused(log, mail_to(server)) == why


def test_a_wrong_password_is_in_the_log_without_itself(log: Log, authority: Authority) -> None:
    with SmtpServer(authority.good(), account="r:right") as server:
        mail = mail_to(server, security="starttls", ca_file=authority.ca_file, user="r", password=b"correct horse")
        assert refused(log, mail) == "535 5.7.8 wrong name or password"
    assert "horse" not in repr(log.lines)


def test_a_server_that_is_not_there_is_in_the_log(log: Log) -> None:
    with SmtpServer() as server:
        mail = mail_to(server)
    assert refused(log, mail) == "Connection refused"


def test_after_a_letter_that_failed_the_next_one_is_sent(log: Log) -> None:
    with SmtpServer() as server, postman(mail_to(server), log) as post:
        post(Letter("nobody", "x", "x"))
        post(LETTER)
        server.wait_for(1)


def test_no_page_waits_for_a_server_that_says_nothing(log: Log) -> None:
    """Nor for the end, which drops what waits."""
    with SmtpServer(mute=True) as server:
        running = Postman(mail_to(server), "x", log.logger, most=2)
        running.start()
        begin = time.monotonic()
        for _ in range(5):
            running(LETTER)
        assert time.monotonic() - begin < 1
    assert {line["event"] for line in log.lines} >= {"mail lost"}
    assert log.lines[0] == {
        "level": "error",
        "event": "mail lost",
        "to": LETTER.to,
        "why": "too many letters wait for the mail server",
    }


# Forgery


@pytest.mark.parametrize(
    "to",
    [
        "alice@example.org\r\nBcc: mallory@example.net",
        "alice@example.org\nX: y",
        "alice@example.org, mallory@example.net",
        "alice@example.org> <mallory@example.net",
        "Alice <alice@example.org>",
        "alice",
        "@example.org",
        "",
        "alice@example.org\x00",
    ],
)
def test_an_address_is_one_address_and_nothing_else(log: Log, to: str) -> None:
    with SmtpServer() as server, postman(mail_to(server), log) as post:
        post(Letter(to, "x", "x"))
        (line,) = log.wait_for(1)
        assert line["event"] == "mail not sent"
    assert server.received == []
    assert server.connections == 0


@pytest.mark.parametrize("injected", ["a\r\nBcc: mallory@example.net", "a\nb", "a\rb", "a\u2028b", "a\0"])
def test_no_line_of_the_head_begins_another(injected: str) -> None:
    for letter, name in ((Letter("a@example.org", injected, "x"), "x"), (Letter("a@example.org", "x", "x"), injected)):
        with pytest.raises(ValueError, match="a character that prints nothing"):
            written(letter, "2fa@example.org", name)


def test_a_text_that_looks_like_a_head_is_a_text() -> None:
    message = written(Letter("a@example.org", "x", "Bcc: mallory@example.net\r\n\r\nx"), "2fa@example.org", "x")
    assert message["Bcc"] is None
    assert message["To"].addresses[0].addr_spec == "a@example.org"


def test_what_waits_at_the_end_still_leaves(log: Log) -> None:
    with SmtpServer() as server:
        with postman(mail_to(server), log) as post:
            for _ in range(5):
                post(LETTER)
        assert len(server.received) == 5
