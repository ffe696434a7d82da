"""Owns the reading of XML piece by piece: the children of the root, one after the other, each with its octets.

It stands on expat alone. A document type declaration ends the reading before any of it is read, so that no entity is
ever declared: nothing can be expanded, and no other file is read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from radius2fa.enrol.formats.rows import BadFile

LARGEST = 1024 * 1024  # octets of one child of the root: a key package has about 1000
DEEPEST = 32  # elements within each other: a key package has 8
_SPACE = "\n"  # between the namespace, the local name and the prefix in the names that expat makes


@dataclass(slots=True)
class Element:
    """An element: its local name, its attributes by theirs, its text without that of its children."""

    name: str
    namespace: str
    attributes: dict[str, str] = field(repr=False)
    line: int
    text: str = field(default="", repr=False)
    children: "list[Element]" = field(default_factory=list, repr=False)

    def child(self, *path: str) -> "Element | None":
        """Return the first element at a path of local names, None if there is none."""
        found: Element | None = self
        for name in path:
            if found is None:
                return None
            found = next((child for child in found.children if child.name == name), None)
        return found

    def content(self, *path: str) -> str:
        """Return the text of the first element at a path, without the white space around it, "" if there is none."""
        found = self.child(*path)
        return "" if found is None else found.text.strip()


@dataclass(frozen=True, slots=True)
class Part:
    """A child of the root, its octets, and those that stand before it and are of no other child."""

    element: Element
    before: bytes = field(repr=False)
    octets: bytes = field(repr=False)


class Document:
    """A document that is being read. `root` is its outermost element, as written, from the first part on."""

    def __init__(self) -> None:
        """Begin a document."""
        self.root = ""
        self._expected = ""
        self._parser = self._prepared()
        self._open: list[Element] = []
        self._done: list[Part] = []
        self._kept = b""  # the octets from the end of the last part on
        self._kept_at = 0  # where in the file they begin
        self._part_at = 0

    def parts(self, pieces: Iterable[bytes], root: str) -> Iterator[Part]:
        """Yield the children of the root, whose local name is given.

        Raises:
            BadFile: it is no XML, declares a document type, ends too early, has another root or a huge child.

        """
        self._expected = root
        for piece in pieces:
            yield from self._read(piece)
            if len(self._kept) > LARGEST:
                raise BadFile(f"an element is larger than {LARGEST // 1024} KiB", self._line())
        yield from self._read(b"", final=True)

    def _read(self, piece: bytes, *, final: bool = False) -> Iterator[Part]:
        """Yield what becomes complete by a piece, also of one in which something is wrong further on."""
        self._kept += piece
        fault = None
        try:
            self._parser.Parse(piece, final)
        except BadFile as bad:
            fault = bad
        except expat.ExpatError as wrong:
            fault = BadFile(self._reason(wrong.code), self._parser.ErrorLineNumber)
        except (LookupError, ValueError):
            # Expat has Python look up an encoding that it does not know itself. That is before the first element.
            if self.root:
                raise
            fault = BadFile("the XML declaration names an encoding that is not known here: save it as UTF-8", 1)
        done, self._done = self._done, []
        yield from done
        if fault:
            raise fault

    def _prepared(self) -> expat.XMLParserType:
        parser = expat.ParserCreate(namespace_separator=_SPACE)
        parser.namespace_prefixes = True
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        return parser

    def _line(self) -> int:
        return self._parser.CurrentLineNumber

    def _reason(self, code: int) -> str:
        if code in _TOO_EARLY:
            return "the file ends too early: get the whole file, and import it again"
        octet = self._kept[max(self._parser.ErrorByteIndex - self._kept_at, 0) :][:1]
        if code == _INVALID and octet == b"\0":
            return "the file holds a NUL octet: it is damaged, or no XML"
        if code == _INVALID and octet >= b"\x80":
            return "the file is not in the encoding that it says (UTF-8, if it says none): save it as UTF-8"
        return f"the file is no well-formed XML ({expat.ErrorString(code)})"

    def _doctype(self, *_: object) -> NoReturn:
        raise BadFile(
            "the file declares a document type (DTD), which may make a reader open other files: remove it", self._line()
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, local, prefix = _parted(name)
        if not self._open:
            self.root = f"{prefix}:{local}" if prefix else local
            if local != self._expected:
                raise BadFile(f"the root element of the file is not {self._expected}", self._line())
        if len(self._open) == 1:
            self._part_at = self._parser.CurrentByteIndex
        if len(self._open) > DEEPEST:
            raise BadFile(f"more than {DEEPEST} elements are within each other", self._line())
        named = {_parted(key)[1]: value for key, value in attributes.items()}
        element = Element(local, namespace, named, self._line())
        if len(self._open) > 1:
            self._open[-1].children.append(element)
        self._open.append(element)

    def _text(self, text: str) -> None:
        if len(self._open) > 1:
            self._open[-1].text += text

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if len(self._open) != 1:
            return
        start = self._part_at - self._kept_at
        end = self._parser.CurrentByteIndex - self._kept_at
        # Of `<a/>` that is its end, of all others where the end tag begins.
        if element.children or element.text or not self._kept.endswith(b"/>", start, end):
            end = self._kept.index(b">", end) + 1
        self._done.append(Part(element, self._kept[:start], self._kept[start:end]))
        self._kept, self._kept_at = self._kept[end:], self._kept_at + end


_INVALID = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]
_TOO_EARLY = {
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
}


def _parted(name: str) -> tuple[str, str, str]:
    """Return the namespace, the local name and the prefix of a name that expat has made; "" for what is not there."""
    parts = name.split(_SPACE)
    if len(parts) == 1:
        return "", name, ""
    return parts[0], parts[1], parts[2] if len(parts) > 2 else ""  # noqa: PLR2004 - the third is the prefix
