"""Owns the pages of somebody's own tokens: what they have, and what they change about it."""

from flask import Blueprint, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from radius2fa.otp.token import OATH, Kind
from radius2fa.portal import notices
from radius2fa.portal.devices import called, is_full, kind, label_of, others_answer, state
from radius2fa.portal.page import page as shown
from radius2fa.portal.pen import pen
from radius2fa.portal.visitor import fresh, signed_in, signed_in_session
from radius2fa.portal.world import world
from radius2fa.store.tokens import TokenRow, TooManyTokens

room = Blueprint("tokens", __name__)


@room.get("/tokens")
@signed_in
def page() -> str:
    """List them."""
    here, now = world(), world().clock.now()
    rows = mine()
    codes = here.store.codes.of(signed_in_session().subject, now)
    return shown(
        "tokens.html", rows=rows, now=now, called=called, kind=kind, state=state, codes=codes, full=is_full(rows)
    )


@room.get("/tokens/<token>")
@signed_in
def one(token: str) -> str:
    """Show one of them."""
    return shown_one(my(token))


@room.post("/tokens/<token>/rename")
@fresh
def rename(token: str) -> Response:
    """Give it another name."""
    row, label = my(token), label_of(request.form.get("label", ""))
    if label != row.label:
        pen().tokens.rename(row.id, label)
        notices.tell(signed_in_session(), "renamed", token=called(row), new=label or "–")  # noqa: RUF001 - a dash
    return _to(row, "renamed")


@room.post("/tokens/<token>/enable")
@fresh
def enable(token: str) -> Response | tuple[str, int]:
    """Let it answer again."""
    row = my(token)
    if not row.active:
        try:
            pen().tokens.set_active(row.id, active=True)
        except TooManyTokens:
            return shown_one(row, "tokens.too-many"), 422
        notices.tell(signed_in_session(), "enabled", token=called(row))
    return _to(row, "enabled")


@room.get("/tokens/<token>/<any(disable, remove):deed>")
@signed_in
def ask(token: str, deed: str) -> str:
    """Say what it means to go without this token, and ask once more."""
    row = my(token)
    last = not others_answer(mine(), row.id, world().clock.now())
    return shown("token-ask.html", row=row, name=called(row), deed=deed, last=last, returns=_returns(row))


@room.post("/tokens/<token>/disable")
@fresh
def disable(token: str) -> Response | tuple[str, int]:
    """Refuse its codes until it is enabled again."""
    row = my(token)
    if row.active:
        if not _put_away(row):
            return shown_one(row, "tokens.last"), 422
        notices.tell(signed_in_session(), "disabled", token=called(row))
    return _to(row, "disabled")


@room.post("/tokens/<token>/remove")
@fresh
def remove(token: str) -> Response | tuple[str, int]:
    """Delete it; what is the house's own goes back into the stock."""
    row = my(token)
    if not (_give_back(row) if _returns(row) else _delete(row)):
        return shown_one(row, "tokens.last"), 422
    notices.tell(signed_in_session(), "removed", token=called(row))
    return redirect(url_for("tokens.page", done="given-back" if _returns(row) else "removed"), 303)


def mine() -> tuple[TokenRow, ...]:
    """Return all devices of whoever has signed in."""
    return world().store.tokens.list(signed_in_session().subject)


def my(token: str) -> TokenRow:
    """Return one of them by its id.

    Raises:
        NotFound: there is none of this id, or it is somebody else's.

    """
    row = next((row for row in mine() if row.id == token), None)
    if row is None:
        raise NotFound
    return row


def shown_one(row: TokenRow, problem: str = "", tried: str = "", resynced: str = "") -> str:
    """Return the page of a token. `problem`, `tried` and `resynced` are keys of what there is to say in its parts."""
    return shown(
        "token.html",
        row=row,
        name=called(row),
        kind=kind(row),
        state=state(row, world().clock.now()),
        codes=row.kind is not Kind.WEBAUTHN,
        steps=row.kind in OATH,
        problem=problem,
        tried=tried,
        resynced=resynced,
    )


def _to(row: TokenRow, done: str | None = None) -> Response:
    return redirect(url_for("tokens.one", token=row.id, done=done), 303)


def _returns(row: TokenRow) -> bool:
    """Tell whether a token came out of the stock: what has a serial number, or a YubiKey's public id, was issued."""
    return row.kind is not Kind.WEBAUTHN and bool(row.serial or row.public_id)


# The last one stays, or whoever has the password alone would be as good as its owner. Two tabs may take away the last
# two at once: so it is looked at again when the token is gone, and whoever finds nothing left puts theirs back.


def _put_away(row: TokenRow) -> bool:
    """Disable a token. False if none would be left."""
    if not _others_answer(row):
        return False
    tokens = pen().tokens
    tokens.set_active(row.id, active=False)
    if _others_answer(row):
        return True
    tokens.set_active(row.id, active=True)
    return False


def _delete(row: TokenRow) -> bool:
    if row.active:
        return _put_away(row) and pen().tokens.remove(row.id)
    return _others_answer(row) and pen().tokens.remove(row.id)


def _give_back(row: TokenRow) -> bool:
    if not _others_answer(row):
        return False
    session, tokens = signed_in_session(), pen().tokens
    tokens.unassign(row.id)
    if _others_answer(row):
        return True
    tokens.assign(row.id, session.subject, session.name, world().clock.now())
    return False


def _others_answer(row: TokenRow) -> bool:
    return others_answer(mine(), row.id, world().clock.now())
