"""Owns the mail to users: letters wait in line for one thread, and no page waits for any of them."""

import queue
import smtplib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, make_msgid

from structlog.typing import FilteringBoundLogger

from radius2fa.config.model import Mail, Settings
from radius2fa.config.web import mail_address
from radius2fa.portal.letter import Letter, Post, nowhere
from radius2fa.printable import printable
from radius2fa.traced import traced

PATIENCE = 10.0  # seconds for each step of a connection
_MOST = 1000  # letters that wait
_END = 2.0  # seconds in which, at the end, those leave that still wait
_LONGEST_CAUSE = 300  # characters


class UnusableMail(Exception):  # noqa: N818 - it says what it is
    """The settings for mail cannot be used. The text says why."""


class Postman:
    """Takes letters from all threads, and brings them to the mail server in one of his own."""

    def __init__(self, mail: Mail, name: str, log: FilteringBoundLogger, most: int = _MOST) -> None:
        """Begin with no letter. `name` is whom they come from, as people read it; at most so many wait.

        Raises:
            UnusableMail: the certificates of the authority cannot be read.

        """
        self._mail = mail
        self._name = name
        self._log = log
        self._context = trusted(mail)
        self._letters: queue.Queue[Letter | None] = queue.Queue(most)
        self._thread = threading.Thread(target=self._run, name="post", daemon=True)

    def start(self) -> None:
        """Begin to bring letters away."""
        self._thread.start()

    def __call__(self, letter: Letter) -> None:
        """Take a letter; never wait, never fail."""
        try:
            self._letters.put_nowait(letter)
        except queue.Full:
            self._log.error("mail lost", to=letter.to, why="too many letters wait for the mail server")

    def stop(self) -> None:
        """Let the letters leave that wait, for a short while."""
        try:
            self._letters.put(None, timeout=_END)
            self._thread.join(_END)
        except queue.Full:
            self._log.warning("mail lost", letters=self._letters.qsize(), why="the mail server is too slow")

    def _run(self) -> None:
        while (letter := self._letters.get()) is not None:
            try:
                self._bring(letter)
            except (OSError, smtplib.SMTPException, ValueError) as wrong:
                self._log.error("mail not sent", to=letter.to, why=cause(wrong))
            except Exception as bug:  # noqa: BLE001 - the outermost edge of the thread: it must live on
                self._log.error("mail not sent", to=letter.to, why=traced(bug))
            else:
                self._log.info("mail sent", to=letter.to)

    def _bring(self, letter: Letter) -> None:
        message = written(letter, self._mail.sender, self._name)
        with connected(self._mail, self._context) as server:
            server.send_message(message, self._mail.sender, [letter.to])


@contextmanager
def post_office(settings: Settings, log: FilteringBoundLogger) -> Iterator[Post]:
    """Have somebody who takes letters, whatever the settings say of mail; at the end those leave that still wait.

    Raises:
        UnusableMail: the settings for mail cannot be used.

    """
    mail = settings.portal.mail
    if mail is None:
        yield nowhere
        return
    postman = Postman(mail, settings.codes.issuer, log)
    postman.start()
    try:
        yield postman
    finally:
        postman.stop()


def trusted(mail: Mail) -> ssl.SSLContext:
    """Return whom we believe to be the mail server.

    Raises:
        UnusableMail: the certificates of the authority cannot be read.

    """
    try:
        return ssl.create_default_context(cafile=mail.ca_file)
    except ssl.SSLError:
        raise UnusableMail(f"{mail.ca_file} holds no certificate in PEM") from None
    except OSError as fault:
        raise UnusableMail(f"{mail.ca_file} cannot be read: {fault.strerror}") from None


def connected(mail: Mail, context: ssl.SSLContext) -> smtplib.SMTP:
    """Return a connection to the mail server, by TLS unless the settings spare it, and with our account there, if any.

    Raises:
        OSError: the server cannot be reached, does not answer in time, or is not the one that its name says.
        smtplib.SMTPException: it does not want us, or has no TLS where that is asked for.
        ValueError: user or password has letters that SMTP has not.

    """
    if mail.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(mail.server, mail.port, timeout=PATIENCE, context=context)
    else:
        server = smtplib.SMTP(mail.server, mail.port, timeout=PATIENCE)
    try:
        if mail.security == "starttls":
            server.starttls(context=context)
        server.ehlo_or_helo_if_needed()
        if mail.user and mail.password is not None:
            server.login(mail.user, mail.password.get_secret_value().decode())
    except BaseException:
        server.close()
        raise
    return server


def written(letter: Letter, sender: str, name: str) -> EmailMessage:
    """Return the letter as a message (RFC 5322).

    Raises:
        ValueError: the address is none, or a line of the head holds what could begin another one.

    """
    mail_address(letter.to)
    for line in (letter.subject, name):
        if not line.isprintable():
            raise ValueError("a line of the head holds a character that prints nothing")
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(name, addr_spec=sender)
    message["To"] = Address(addr_spec=letter.to)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
    message.set_content(letter.text, cte="quoted-printable")  # which every server takes
    return message


def cause(wrong: Exception) -> str:
    """Return what went wrong with the mail server, in one line."""
    match wrong:
        case smtplib.SMTPResponseException():
            text = f"{wrong.smtp_code} {_decoded(wrong.smtp_error)}"
        case smtplib.SMTPRecipientsRefused():
            text = "; ".join(f"{code} {_decoded(said)}" for code, said in wrong.recipients.values())
        case OSError(strerror=str(said)):
            text = said
        case _:
            text = str(wrong) or type(wrong).__name__
    return printable(text)[:_LONGEST_CAUSE]


def _decoded(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said
