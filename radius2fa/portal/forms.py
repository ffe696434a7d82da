"""Owns the proof that a form came from a page of ours: against requests that another site makes in a visitor's name.

Every form has a field whose value can be computed only with the master key, from the cookie that the browser sends
along. A site elsewhere can make the browser send the cookie, but cannot read it, nor the field.
"""

import base64
import binascii
from hmac import compare_digest
from urllib.parse import urlsplit

from flask import Request, g
from werkzeug.exceptions import Forbidden

from radius2fa.portal.world import world

FIELD = "form"
TOKEN_OCTETS = 32


def decoded(cookie: str | None) -> bytes | None:
    """Return the octets of a cookie that one of ours may be, None of any other."""
    try:
        octets = base64.urlsafe_b64decode((cookie or "").encode("ascii") + b"=")
    except (ValueError, binascii.Error):
        return None
    return octets if len(octets) == TOKEN_OCTETS else None


def encoded(token: bytes) -> str:
    """Return a token as a cookie holds it: 43 characters of base64url."""
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def field() -> str:
    """Return the value of this visitor's forms."""
    token: bytes | None = g.form_token
    if token is None:
        g.form_token = token = g.new_form_token = world().clock.random(TOKEN_OCTETS)
    return world().store.sessions.form_code(token)


def require_ours(request: Request) -> None:
    """Return if a form was sent from a page that this visitor got from us.

    Raises:
        Forbidden: otherwise.

    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    token: bytes | None = g.form_token
    typed = request.form.get(FIELD, "")
    if (
        token is None
        or (origin is not None and origin != own_origin(str(world().settings.portal.url)))
        or site not in (None, "same-origin", "none")
        or not compare_digest(typed.encode("utf-8", "replace"), world().store.sessions.form_code(token).encode())
    ):
        raise Forbidden


def own_origin(url: str) -> str:
    """Return the origin of the portal's address (RFC 6454 section 6.2), as browsers send it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
