"""Owns the enrolment of a hardware token out of the stock: by its serial number and its codes, or by a touch.

Whatever does not fit is answered by one and the same text: serial numbers are in a row, and nobody shall find out by
trying whose is which, or which there are.
"""

from flask import Blueprint, request
from werkzeug.exceptions import NotFound, TooManyRequests
from werkzeug.wrappers import Response

from radius2fa.enrol.enrolment import confirm
from radius2fa.login.ports import Unavailable
from radius2fa.otp import verify, yubico
from radius2fa.otp.token import Kind, Token, YubiKey
from radius2fa.otp.verify import Match
from radius2fa.portal.added import after_adding, may_add, must_be_first
from radius2fa.portal.attempts import squeezed, wait_for_hour
from radius2fa.portal.authenticator import wide
from radius2fa.portal.devices import called
from radius2fa.portal.page import page as shown
from radius2fa.portal.pen import pen
from radius2fa.portal.visitor import signed_in_session
from radius2fa.portal.world import world
from radius2fa.store.seal import SealBroken
from radius2fa.store.tokens import TokenRow, TooManyTokens

room = Blueprint("hardware", __name__)

LOOK = 1000  # codes ahead, or time steps to each side, where two codes in sequence are asked for


@room.get("/enrol/hardware")
@may_add
def page() -> str:
    """Ask for the serial number and for codes."""
    _require_offered("hardware")
    return shown("hardware.html", serial="", wrong="")


@room.post("/enrol/hardware")
@may_add
def check() -> Response | tuple[str, int]:
    """Give a token of the stock to whoever shows that they hold it."""
    _require_offered("hardware")
    since = world().clock.monotonic()
    _require_patience(since)
    serial = "".join(request.form.get("serial", "").split())
    row = _of_serial(serial)
    if row is not None and row.subject == signed_in_session().subject:
        return shown("hardware.html", serial=serial, wrong="enrol.yours-already"), 422
    match = None if row is None else _proof(row)
    if row is None or match is None or not _given(match):
        wait_for_hour(world(), since, refused=True)
        return shown("hardware.html", serial=serial, wrong="enrol.no-fit"), 422
    return _arrived(row)


@room.get("/enrol/yubikey")
@may_add
def touch() -> str:
    """Ask for a touch."""
    _require_offered("yubikey")
    return shown("yubikey.html", wrong="")


@room.post("/enrol/yubikey")
@may_add
def touched() -> Response | tuple[str, int]:
    """Give the YubiKey of the stock that has typed a code to whoever has touched it."""
    _require_offered("yubikey")
    here, since = world(), world().clock.monotonic()
    _require_patience(since)
    code = squeezed(request.form.get("code", ""))
    keys = here.store.ledger.stock(yubico.public_ids(code), here.clock.now())
    match = verify.check(keys, code, here.clock.now(), here.house.windows, resync=False)
    if isinstance(match, Match) and _given(match):
        row = here.store.tokens.get(match.token)
        if row is not None:
            return _arrived(row)
    wait_for_hour(here, since, refused=True)
    return shown("yubikey.html", wrong="enrol.no-fit-yubikey"), 422


def _of_serial(serial: str) -> TokenRow | None:
    """Return the token of a serial number, in whichever case that was typed."""
    found = (world().store.tokens.get(each) for each in (serial, serial.upper()) if each)
    return next((row for row in found if row is not None and row.serial in (serial, serial.upper())), None)


def _proof(row: TokenRow) -> Match | None:
    """Return what the codes are that were typed: one of a clock, two in sequence of a button."""
    here = world()
    token = None if row.subject is not None else _secret(row)
    first, second = (squeezed(request.form.get(name, "")) for name in ("code", "second"))
    if isinstance(token, Token) and second:
        return verify.resync(token, first, second, here.clock.now(), LOOK)
    if token is None or token.kind is Kind.HOTP:
        return None
    return confirm(token, first, here.clock.now(), wide(here.settings.codes))


def _secret(row: TokenRow) -> Token | YubiKey | None:
    try:
        return world().store.tokens.secret(row.id)
    except SealBroken as broken:
        raise Unavailable("master key", str(broken)) from None


def _given(match: Match) -> bool:
    """Use the code up, and hand the token over. False if somebody else was first, or it may not answer."""
    here, session, now = world(), signed_in_session(), world().clock.now()
    try:
        return here.store.tokens.advance(match.token, match.counter, match.drift, now) and pen().tokens.assign(
            match.token, session.subject, session.name, now, first=must_be_first()
        )
    except TooManyTokens:
        return False


def _arrived(row: TokenRow) -> Response:
    return after_adding(called(row), row.kind.value)


def _require_offered(way: str) -> None:
    if way not in world().settings.portal.offer:
        raise NotFound


def _require_patience(since: float) -> None:
    """Raise TooManyRequests where one person tries more serial numbers than they can have tokens."""
    if not world().serials.allows(signed_in_session().subject, since):
        raise TooManyRequests
