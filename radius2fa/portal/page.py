"""Owns the making of a page from its template."""

from flask import g, has_request_context, render_template, request

from radius2fa.portal.visitor import Visitor

_DONE = "done"


def page(template: str, **values: object) -> str:
    """Return a page. What happened just before is told on it, where the address says so in a word that we know."""
    if has_request_context() and "visitor" not in g:  # a request that went wrong before anything was known of it
        g.visitor = Visitor(None, None, None, "", request.accept_languages.best_match(("en", "de"), "en"))
        g.form_token = g.new_form_token = None
    return render_template(template, done=request.args.get(_DONE, ""), **values)
