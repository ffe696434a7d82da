"""Owns the drawing of a QR code on a terminal."""

import io

import segno

# The light modules are drawn, as half blocks in bright white, on black: with both colours named, what the terminal's
# own background is does not matter.
_COLOURS = "\x1b[97;40m"
_RESET = "\x1b[0m"


def draw(text: str) -> str:
    """Return the QR code of a text, with its quiet zone, as lines for a terminal of about 50 to 70 columns."""
    drawing = io.StringIO()
    segno.make_qr(text, error="l").terminal(drawing, compact=True)
    return "".join(f"{_COLOURS}{line}{_RESET}\n" for line in drawing.getvalue().splitlines())
