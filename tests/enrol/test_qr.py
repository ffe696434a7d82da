import segno

from radius2fa.enrol.qr import draw

URI = "otpauth://totp/ACME%20VPN:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ACME%20VPN"
HALVES = {" ": "##", "▀": ".#", "▄": "#.", "█": ".."}  # dark is what is not drawn


def rows(drawing: str) -> list[str]:
    """The modules of a drawing: `#` is dark, `.` is light."""
    found = []
    for line in drawing.splitlines():
        halves = [HALVES[block] for block in line.removeprefix("\x1b[97;40m").removesuffix("\x1b[0m")]
        found += ["".join(half[0] for half in halves), "".join(half[1] for half in halves)]
    return found


def test_the_drawing_is_the_symbol_with_its_quiet_zone() -> None:
    expected = ["".join(".#"[module] for module in row) for row in segno.make_qr(URI, error="l").matrix_iter(border=4)]
    drawn = rows(draw(URI))
    assert drawn[: len(expected)] == expected
    assert drawn[len(expected) :] == ["#" * len(expected[0])]  # a half line that the symbol does not need


def test_every_line_names_both_its_colours() -> None:
    for line in draw(URI).splitlines():
        assert line.startswith("\x1b[97;40m")
        assert line.endswith("\x1b[0m")
