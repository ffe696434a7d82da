"""Owns who is at the other end of a request: their session and rights, their address, their language."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import wraps
from ipaddress import ip_address
from typing import ParamSpec, TypeVar, cast

from flask import Request, Response, g, redirect, request, url_for
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from radius2fa.login.dn import normal_dn
from radius2fa.login.place import Address
from radius2fa.login.ports import Entry
from radius2fa.portal import forms
from radius2fa.portal.rules import FIRST_ENROLMENT, NAME
from radius2fa.portal.words import LANGUAGES
from radius2fa.portal.world import World, world
from radius2fa.store.sessions import NewSession, Session

P = ParamSpec("P")
R = TypeVar("R")

_TOUCH = 60.0  # seconds: a session's last use is kept no more exactly than this
_LONGEST_AGENT = 200


class Role(IntEnum):
    """What somebody may do here; each role may do what those below it may."""

    USER = 0
    HELPDESK = 1
    ADMIN = 2


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. `session` is None before the sign-in. `address` is None where what is told of it is none."""

    session: Session | None
    token: bytes | None
    address: Address | None
    source: str
    language: str

    @property
    def enrolling(self) -> bool:
        """Whether they have shown no second factor yet: then they may enrol, and nothing else."""
        return self.session is not None and self.session.proved is None


def arrive(request: Request) -> None:
    """Find out who asks, before any page does its work."""
    here = world()
    token = forms.decoded(request.cookies.get(cookie("session")))
    now = here.clock.now()
    session = None if token is None else here.store.sessions.find(token, now, here.settings.portal.idle)
    if session is not None and token is not None and now - session.seen > _TOUCH:
        here.store.sessions.touch(token, now)
    source = request.remote_addr or ""
    g.visitor = Visitor(session, token if session else None, _address(source), source, _language(request))
    g.form_token = token if session else forms.decoded(request.cookies.get(cookie("form")))
    g.new_form_token = None


def visitor() -> Visitor:
    """Return who asks."""
    return cast("Visitor", g.visitor)


def signed_in_session() -> Session:
    """Return the session of a page that only those get who have signed in."""
    session = visitor().session
    if session is None:
        raise Forbidden
    return session


def signed_in_token() -> bytes:
    """Return the cookie's octets of such a session."""
    token = visitor().token
    if token is None:
        raise Forbidden
    return token


def begin(entry_name: str, subject: str, typed: str, factor: str, when: float, *, by_passkey: bool = False) -> bytes:
    """Open a session for somebody whom the decision has let in, and return what its cookie holds.

    It has a name of its own, whatever cookie the browser came with. `by_passkey` says that a security key has signed
    for it: a login code that was typed was made for one too, but is no key.
    """
    here, who = world(), visitor()
    proved = None if factor in FIRST_ENROLMENT else when
    new = NewSession(
        subject,
        entry_name,
        typed,
        factor,
        proved,
        when if by_passkey else None,
        who.source,
        request.headers.get("User-Agent", "")[:_LONGEST_AGENT],
    )
    return here.store.sessions.begin(new, when + here.settings.portal.longest, when)


def entry_of(session: Session) -> Entry | None:
    """Return whoever has signed in, as the directory has them now; None if they have left, or are somebody else."""
    here = world()
    found = here.directory.find(session.typed, NAME, deadline(here))
    return found if isinstance(found, Entry) and found.subject == session.subject else None


def role() -> Role:
    """Return what whoever has signed in may do, by their groups in the directory as they are now."""
    if "role" not in g:
        g.role = _role()
    return cast("Role", g.role)


def _role() -> Role:
    session, portal = visitor().session, world().settings.portal
    if session is None or visitor().enrolling or not (portal.helpdesk_groups or portal.admin_groups):
        return Role.USER
    entry = entry_of(session)
    groups = entry.groups if entry else frozenset()
    if not groups.isdisjoint(map(normal_dn, portal.admin_groups)):
        return Role.ADMIN
    return Role.HELPDESK if not groups.isdisjoint(map(normal_dn, portal.helpdesk_groups)) else Role.USER


def deadline(here: World) -> float:
    """Return until when (monotonic seconds) a page waits for the directory."""
    return here.clock.monotonic() + here.settings.server.patience


def may_enrol(page: Callable[P, R]) -> Callable[P, R | AnyResponse]:
    """Let in whoever has signed in, also those who have still to enrol."""

    @wraps(page)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R | AnyResponse:
        if visitor().session is None:
            return redirect(url_for("signin.page"), 303)
        return page(*args, **kwargs)

    return inner


def signed_in(page: Callable[P, R]) -> Callable[P, R | AnyResponse]:
    """Let in whoever has signed in with a second factor; send those to their enrolment who have none."""

    @wraps(page)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R | AnyResponse:
        if visitor().enrolling:
            return redirect(url_for("enrol.page"), 303)
        return page(*args, **kwargs)

    return may_enrol(inner)


def is_fresh() -> bool:
    """Tell whether a second factor was shown so lately that changes may be made."""
    session, here = visitor().session, world()
    proved = None if session is None else session.proved
    return proved is not None and here.clock.now() - proved <= here.settings.portal.fresh


def fresh(page: Callable[P, R]) -> Callable[P, R | AnyResponse]:
    """Let in whoever has shown a second factor lately; ask all others for one, and bring them back."""

    @wraps(page)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R | AnyResponse:
        if not is_fresh():
            return redirect(url_for("confirm.page", back=request.path), 303)
        return page(*args, **kwargs)

    return signed_in(inner)


def only(least: Role) -> Callable[[Callable[P, R]], Callable[P, R | AnyResponse]]:
    """Let in whoever has at least this role, and has shown a second factor lately where something is changed."""

    def decorate(page: Callable[P, R]) -> Callable[P, R | AnyResponse]:
        @wraps(page)
        def inner(*args: P.args, **kwargs: P.kwargs) -> R | AnyResponse:
            if role() < least:
                raise Forbidden
            if request.method == "POST" and not is_fresh():
                return redirect(url_for("confirm.page", back=request.path), 303)
            return page(*args, **kwargs)

        return signed_in(inner)

    return decorate


def cookie(name: str) -> str:
    """Return a cookie's name. With the prefix, browsers take it from this very host only, by HTTPS."""
    return f"__Host-radius2fa-{name}" if is_https() else f"radius2fa-{name}"


def is_https() -> bool:
    """Tell whether visitors come by HTTPS: always, but for a trial on their own machine."""
    return str(world().settings.portal.url).startswith("https:")


def set_cookie(response: Response | AnyResponse, name: str, value: str, seconds: int | None = None) -> None:
    """Give the browser a cookie that no script and no other site gets at."""
    response.set_cookie(
        cookie(name), value, max_age=seconds, path="/", secure=is_https(), httponly=True, samesite="Strict"
    )


def drop_cookie(response: Response | AnyResponse, name: str) -> None:
    """Take a cookie away from the browser."""
    response.delete_cookie(cookie(name), path="/", secure=is_https(), httponly=True, samesite="Strict")


def _address(source: str) -> Address | None:
    try:
        return ip_address(source)
    except ValueError:
        return None


def _language(request: Request) -> str:
    return request.accept_languages.best_match(LANGUAGES, LANGUAGES[0])
