"""Owns the small things that pages show alike: moments in the visitor's language, QR codes."""

import io
from datetime import datetime

import segno
from markupsafe import Markup

from radius2fa.portal.visitor import visitor

_FORMS = {"en": "%-d %b %Y, %H:%M", "de": "%d.%m.%Y, %H:%M"}


def instant(when: float | None) -> Markup:
    """Return a moment (Unix seconds) in the time of this machine, as people read it; a dash for none."""
    if when is None:
        return Markup("–")  # noqa: RUF001 - a dash
    at = datetime.fromtimestamp(when).astimezone()
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), at.strftime(_FORMS[visitor().language])
    )


def qr_code(content: str, title: str) -> Markup:
    """Return a QR code as SVG with its quiet zone, in black on white whatever the theme, for cameras read it so."""
    drawing = io.BytesIO()
    segno.make_qr(content, error="m").save(
        drawing,
        kind="svg",
        xmldecl=False,
        svgns=False,
        scale=4,
        border=4,
        dark="#000",
        light="#fff",
        svgclass="qr",
        lineclass=None,
        omitsize=True,
        title=title,
    )
    return Markup(drawing.getvalue().decode())  # noqa: S704 - segno escapes the title
