"""Owns finding the line of a key in a TOML text, which `tomllib` does not tell.

A scan, not a parser: it runs on text that `tomllib` has accepted. A key that it does not find has no line number.
"""

import re
from collections import Counter
from collections.abc import Iterator

from radius2fa.config.faults import Key

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_ARRAY_OF_TABLES = re.compile(rf"\s*\[\[\s*({_DOTTED})\s*\]\]")
_TABLE = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|' r"'''.*?'''|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'|#[^\n]*|[\[\]{}]|\n", re.DOTALL
)


def lines_of(text: str) -> dict[Key, int]:
    """Return the line, counted from 1, of every table and key that the scan recognises."""
    found: dict[Key, int] = {}
    table: Key = ()
    counts: Counter[Key] = Counter()
    for number, line in _statements(text):
        if match := _ARRAY_OF_TABLES.match(line):
            name = _within(_parts(match[1]), counts)
            table = (*name, counts[name])
            counts[name] += 1
            found[table] = number
            found.setdefault(name, number)
        elif match := _TABLE.match(line):
            table = _within(_parts(match[1]), counts)
            found[table] = number
        elif match := _KEY.match(line):
            found[(*table, *_parts(match[1]))] = number
    return found


def line_of(key: Key, lines: dict[Key, int]) -> int | None:
    """Return the line of the key, or of the nearest table or key that it is in."""
    while key:
        if key in lines:
            return lines[key]
        key = key[:-1]
    return None


def _parts(dotted: str) -> Key:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _within(name: Key, counts: Counter[Key]) -> Key:
    """Put in the indices of arrays of tables above: `[policy.reply]` belongs to the last `[[policy]]`."""
    path: Key = ()
    for part in name[:-1]:
        path = (*path, part)
        if counts[path]:
            path = (*path, counts[path] - 1)
    return (*path, *name[-1:])


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines at which a statement begins: none inside a list or a string of several lines."""
    number, start, depth = 1, 0, 0
    for token in _TOKEN.finditer(text + "\n"):
        if token[0] in {"[", "{"}:
            depth += 1
        elif token[0] in {"]", "}"}:
            depth -= 1
        elif token[0] == "\n" and depth == 0:
            yield number, text[start : token.start()]
            number += text.count("\n", start, token.end())
            start = token.end()
