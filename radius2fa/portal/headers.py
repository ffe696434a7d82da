"""Owns what browsers are told to forbid: foreign content, frames, caches, and what a page does not need."""

from flask import Response, request

# Nothing comes from elsewhere, nothing in a page is code, nobody puts a page into a frame, no form leads elsewhere.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), "
    "publickey-credentials-get=(self), publickey-credentials-create=(self)",
}
_YEAR = 31536000  # seconds


def protect(response: Response, *, https: bool) -> Response:
    """Put the headers on a response. What is not static is kept nowhere: it may hold codes that are shown once."""
    for name, value in _ALWAYS.items():
        response.headers[name] = value
    if https:
        response.headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
    if request.endpoint == "static" and "v" in request.args:  # its address changes with its contents
        response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    else:
        response.headers["Cache-Control"] = "no-store"
    return response
