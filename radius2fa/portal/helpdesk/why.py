"""Owns the reason that whoever acts for others has to give, which the audit keeps."""

from collections.abc import Mapping

from radius2fa.printable import printable

LENGTHS = range(3, 201)  # characters


def why_typed(form: Mapping[str, str]) -> str | None:
    """Return the reason in a form, in one line; None if it is too short or too long."""
    why = printable(" ".join(form.get("why", "").split()))
    return why if len(why) in LENGTHS else None
