"""Owns PNG files (RFC 2083) as browsers write them: eight bits a channel, in colours, not interlaced.

They are read for what looks for QR codes, and written again with few colours, which makes pictures of pages small.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Callable

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 6: 4}  # by colour type
_RED, _GREEN, _BLUE = range(3)
_PALETTE = 3  # the colour type
_MOST_COLOURS = 256

Colour = tuple[int, int, int]


def greens(png: bytes) -> memoryview:
    """Return the green of every pixel, as rows of octets: what is black and white loses nothing by that."""
    width, height, (green,) = _planes(png, _GREEN)
    return memoryview(green).cast("B", (height, width))


def with_few_colours(png: bytes) -> bytes:
    """Return the picture with its most frequent colours, and the nearest of them for all others. Opacity is lost."""
    width, height, planes = _planes(png, _RED, _GREEN, _BLUE)
    pixels: list[Colour] = list(zip(*planes, strict=True))
    counts = Counter(pixels)
    palette = [colour for colour, _ in counts.most_common(_MOST_COLOURS)]
    places = {colour: place for place, colour in enumerate(palette)}
    places |= {colour: _nearest(colour, palette) for colour in counts.keys() - places.keys()}
    octets = bytes(map(places.__getitem__, pixels))
    rows = (b"\0" + octets[start : start + width] for start in range(0, len(octets), width))
    return (
        _SIGNATURE
        + _chunk(b"IHDR", struct.pack("!IIBBBBB", width, height, 8, _PALETTE, 0, 0, 0))
        + _chunk(b"PLTE", b"".join(map(bytes, palette)))
        + _chunk(b"IDAT", zlib.compress(b"".join(rows), 9))
        + _chunk(b"IEND", b"")
    )


def _planes(png: bytes, *wanted: int) -> tuple[int, int, list[bytes]]:
    """Return the width, the height, and of each channel that is wanted an octet for every pixel."""
    chunks = dict[bytes, bytes]()
    at = len(_SIGNATURE)
    assert png[:at] == _SIGNATURE
    while at < len(png):
        length, kind = struct.unpack_from("!I4s", png, at)
        chunks[kind] = chunks.get(kind, b"") + png[at + 8 : at + 8 + length]
        at += length + 12
    width, height, depth, colours, _, _, interlace = struct.unpack("!IIBBBBB", chunks[b"IHDR"])
    assert (depth, interlace) == (8, 0)
    channels, octets = _CHANNELS[colours], zlib.decompress(chunks[b"IDAT"])
    return width, height, [_plane(octets, width, channels, channel) for channel in wanted]


def _plane(octets: bytes, width: int, channels: int, channel: int) -> bytes:
    """Undo the filters of one channel: none is filtered by another's octets."""
    rows = [bytes(width)]
    for start in range(0, len(octets), width * channels + 1):
        row = octets[start + 1 + channel : start + 1 + width * channels : channels]
        rows.append(_unfiltered(octets[start], row, rows[-1]))
    return b"".join(rows[1:])


def _unfiltered(kind: int, row: bytes, above: bytes) -> bytes:
    """Take a filter away (section 6): each octet by the one at its left, above it, and above at its left."""
    predict = _PREDICTIONS[kind]
    if predict is None:
        return row
    found, left, corner = bytearray(), 0, 0
    for octet, up in zip(row, above, strict=True):
        left = (octet + predict(left, up, corner)) & 0xFF
        found.append(left)
        corner = up
    return bytes(found)


def _paeth(left: int, above: int, corner: int) -> int:
    by_left, by_above, by_corner = abs(above - corner), abs(left - corner), abs(left + above - corner - corner)
    if by_left <= by_above and by_left <= by_corner:
        return left
    return above if by_above <= by_corner else corner


_PREDICTIONS: tuple[Callable[[int, int, int], int] | None, ...] = (
    None,
    lambda left, _above, _corner: left,
    lambda _left, above, _corner: above,
    lambda left, above, _corner: (left + above) >> 1,
    _paeth,
)


def _nearest(colour: Colour, palette: list[Colour]) -> int:
    def apart(place: int) -> int:
        return sum((one - other) ** 2 for one, other in zip(colour, palette[place], strict=True))

    return min(range(len(palette)), key=apart)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))
