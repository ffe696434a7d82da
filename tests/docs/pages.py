"""The administrator's guide as tests read it: its fenced blocks, the commands and links in it, headings, tables."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*) *(?P<name>\S*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_INDENTED = re.compile(r"(?:^ {4,}\S.*\n(?:\n(?= {4}))*)+", re.MULTILINE)
_SECTION = re.compile(r"\[\[?[a-z.]+\]\]?\n")  # what a configuration begins with
_CODE = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(r"(?:.*\| *)?radius2fa ")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
_BETWEEN_COMMANDS = frozenset("();<>|&")  # what shlex keeps apart as punctuation


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced or indented block. `name` is the second word behind the fence, which files have: `csv fobs.csv`.

    An indented block is of the language "toml" if it begins with a section, else of "console".
    """

    page: Path
    line: int
    language: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(DOCS)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line of the program that a page holds, without the name of the program."""

    place: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.place} {' '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another place in the repository."""

    page: Path
    target: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(DOCS)} {self.target}"


def blocks(*languages: str) -> list[Block]:
    """All blocks of these languages."""
    return [block for page in PAGES for block in _blocks_of(page) if block.language in languages]


def commands() -> list[Command]:
    """All command lines of the program: behind the prompts of consoles, and in the text."""
    return [
        Command(place, tuple(words[1:]))
        for place, line in _lines()
        for words in _parted(line)
        if words[0] == "radius2fa" and len(words) > 1
    ]


def links() -> list[Link]:
    """All links that lead to no other site."""
    return [
        Link(page, target)
        for page in PAGES
        for target in _LINK.findall(_CODE.sub("", _prose(page)))
        if not target.startswith(("http://", "https://", "mailto:"))
    ]


def anchors(page: Path) -> list[str]:
    """The anchors that forges make of a page's headings: small letters, hyphens for spaces, no punctuation."""
    headings = (_LINK.sub("", heading).lower() for heading in _HEADING.findall(_prose(page)))
    return [re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings]


def rows(page: Path, heading: str, first: str) -> list[list[str]]:
    """The rows, as their cells, of all tables below a heading whose own first cell is `first`."""
    level, text = re.findall(rf"^(#+) {re.escape(heading)}$(.*)", page.read_text(), re.MULTILINE | re.DOTALL)[0]
    section = re.split(rf"^#{{1,{len(level)}}} ", text, flags=re.MULTILINE)[0]
    tables = [[_cells(line) for line in table.splitlines()] for table in _TABLE.findall(section)]
    return [row for table in tables if table[0][0] == first for row in table[2:]]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _FENCE.finditer(text):
        yield Block(page, _line(found), found["language"], found["name"], dedent(found["text"]))
    for found in _INDENTED.finditer(_FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), text)):
        inner = dedent(found[0])
        yield Block(page, _line(found), "toml" if _SECTION.match(inner) else "console", "", inner)


def _line(found: re.Match[str]) -> int:
    return found.string.count("\n", 0, found.start()) + 1


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text())


def _lines() -> Iterator[tuple[str, str]]:
    for block in blocks("console"):
        lines = (line.removeprefix("$ ") for line in block.text.splitlines() if not line.startswith("radius2fa: "))
        yield from ((str(block), line) for line in lines if _COMMAND.match(line))
    for page in PAGES:
        for code in _CODE.findall(_prose(page)):
            if _COMMAND.match(code):
                yield str(page.relative_to(DOCS)), code


def _parted(line: str) -> list[list[str]]:
    """The commands of a line of the shell, each as its words."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    parts = groupby(words, _BETWEEN_COMMANDS.issuperset)
    return [list(part) for between, part in parts if not between]
