import io

from hypothesis import given
from hypothesis import strategies as st

from radius2fa.enrol.formats.source import LONGEST, PIECE, Line, Source, lines


@given(st.lists(st.binary(max_size=20)))
def test_lines_do_not_depend_on_where_the_pieces_end(pieces: list[bytes]) -> None:
    assert list(lines(pieces)) == list(lines([b"".join(pieces)]))


def test_lines_end_as_unix_or_windows_ends_them() -> None:
    assert list(lines([b"a\r\nb\n\nc"])) == [Line(1, b"a"), Line(2, b"b"), Line(3, b""), Line(4, b"c", ended=False)]


def test_only_the_beginning_of_an_endless_line_is_kept() -> None:
    [first, second] = lines([b"x" * PIECE] * 5 + [b"\ny"])
    assert len(first.octets) == LONGEST + 1
    assert second == Line(2, b"y", ended=False)


def test_the_head_is_read_once_and_counted_once() -> None:
    source = Source(io.BytesIO(b"x" * (PIECE + 1)))
    assert source.head == b"x" * PIECE
    assert source.read == 0
    assert b"".join(source.pieces()) == b"x" * (PIECE + 1)
    assert source.read == PIECE + 1
