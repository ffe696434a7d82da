"""Owns the application: the rooms put together, and what every request has before and behind it."""

from hashlib import sha256
from pathlib import Path
from types import ModuleType

from flask import Flask, Response, g, redirect, request, url_for
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from radius2fa.login.ports import Unavailable
from radius2fa.portal import (
    authenticator,
    confirm,
    enrol,
    forms,
    hardware,
    headers,
    logincode,
    logins,
    passkeys,
    recovery,
    sessions,
    signin,
    tokens,
    trial,
    visitor,
)
from radius2fa.portal.bodies import InMemory
from radius2fa.portal.drawing import instant
from radius2fa.portal.helpdesk import audit, people, rollout, stock
from radius2fa.portal.hour import leave_at
from radius2fa.portal.menu import menu
from radius2fa.portal.page import page
from radius2fa.portal.visitor import arrive, is_https, set_cookie
from radius2fa.portal.words import text, texts_of
from radius2fa.portal.world import World, settle, world
from radius2fa.traced import traced

_ROOMS: tuple[ModuleType, ...] = (
    signin,
    enrol,
    tokens,
    passkeys,
    confirm,
    logincode,
    authenticator,
    hardware,
    recovery,
    trial,
    sessions,
    logins,
    people,
    stock,
    rollout,
    audit,
)
_STATIC = Path(__file__).with_name("static")
_MOST_OCTETS = 2 << 20  # of an upload: an import file with some thousand tokens
_MOST_TYPED = 64 << 10  # octets of any other form: the largest holds what a security key says, with its certificates


def make_app(world: World) -> Flask:
    """Return the application for this world; it can be called by several threads at once."""
    app = Flask("radius2fa.portal")
    app.request_class = InMemory
    app.config["MAX_CONTENT_LENGTH"] = _MOST_OCTETS
    app.config["MAX_FORM_MEMORY_SIZE"] = _MOST_OCTETS
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    settle(app.extensions, world)
    _furnish(app)
    app.before_request(_before)
    app.after_request(_after)
    for room in _ROOMS:
        app.register_blueprint(room.room)
    app.add_url_rule("/", "home", _home)
    app.add_url_rule("/health", "health", _health)
    app.register_error_handler(HTTPException, _failed)
    app.register_error_handler(Unavailable, _unavailable)
    app.register_error_handler(Exception, _bug)
    return app


def _furnish(app: Flask) -> None:
    """Give the templates what they all need."""
    versions = {file.name: sha256(file.read_bytes()).hexdigest()[:12] for file in _STATIC.iterdir()}

    def static(name: str) -> str:
        return url_for("static", filename=name, v=versions[name])

    def t(key: str, **values: object) -> str:
        return text(visitor.visitor().language, key, **values)

    app.jinja_env.globals.update(
        t=t,
        static=static,
        form_field=forms.field,
        visitor=visitor.visitor,
        menu=menu,
        portal=lambda: world().settings.portal,
        issuer=lambda: world().settings.codes.issuer,
    )
    app.jinja_env.tests["text"] = lambda key: key in texts_of(visitor.visitor().language)
    app.jinja_env.filters["instant"] = instant


def _before() -> None:
    if request.endpoint in ("static", "health"):
        return
    arrive(request)
    if not _may_upload():
        request.max_content_length = _MOST_TYPED
    if request.method == "POST":
        forms.require_ours(request)


def _may_upload() -> bool:
    """Tell whether a large body may come: a file of somebody who has signed in. To read many fields takes seconds."""
    who_asks = visitor.visitor()
    return (
        who_asks.session is not None
        and not who_asks.enrolling
        and request.endpoint == "stock.upload"
        and request.mimetype == "multipart/form-data"
    )


def _after(response: Response) -> Response:
    if "leave_at" in g:
        name, when = leave_at(g.leave_at)
        response.headers[name] = when
    fresh: bytes | None = g.get("new_form_token")
    if fresh is not None:
        set_cookie(response, "form", forms.encoded(fresh))
    return headers.protect(response, https=is_https())


def _home() -> AnyResponse:
    if visitor.visitor().session is None:
        return redirect(url_for("signin.page"), 303)
    return redirect(url_for("enrol.page" if visitor.visitor().enrolling else "tokens.page"), 303)


def _health() -> Response:
    """Tell a reverse proxy or a monitor whether pages can be made: the database answers."""
    world().store.probe()
    return Response("ok\n", mimetype="text/plain")


def _failed(wrong: HTTPException) -> tuple[str, int] | HTTPException:
    code = wrong.code or 500
    if code < 400:  # noqa: PLR2004 - redirects, which werkzeug raises too
        return wrong
    return page("failed.html", code=code), code


def _unavailable(broken: Unavailable) -> tuple[str, int]:
    world().log.warning("page without backend", path=request.path, why=str(broken))
    return page("failed.html", code=503), 503


def _bug(bug: Exception) -> tuple[str, int]:
    world().log.error("internal error", path=request.path, why=traced(bug))
    return page("failed.html", code=500), 500
