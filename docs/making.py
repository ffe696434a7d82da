"""Owns the pages of the reference, which are made of the program itself: `python docs/making.py` writes them anew.

The configuration's is the sample file in another form, with the limits that the program holds each key to; the
commands' is what `--help` says of each.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

import click
import typer

from radius2fa.cli.main import app
from radius2fa.config.places import shipped
from radius2fa.config.words import SECTIONS

FOLDER = Path(__file__).with_name("reference")
_SECTION = re.compile(r"#?(\[\[?)([a-z.]+)\]\]?")
_KEY = re.compile(r"#?([a-z_]+) = (.*)")
_INDENT = "   "  # before the lines of an example
_FEW = 8  # values of an option that are told; reasons are more, and have a page
_MADE = "<!-- Made by docs/making.py of the program itself: change it there. -->\n"


@dataclass
class Entry:
    """Some keys of the sample and what is written above them, text or an example; `section` is a heading before it."""

    section: str = ""
    keys: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def entries(sample: str) -> Iterator[Entry]:
    """Part the sample into its paragraphs."""
    for paragraph in re.split(r"\n\n+", sample.strip()):
        entry = Entry()
        for line in paragraph.splitlines():
            if section := _SECTION.fullmatch(line):
                entry.section = f"{section[1]}{section[2]}{']' * len(section[1])}"
            elif key := _KEY.fullmatch(line):
                entry.keys.append((key[1], key[2]))
            else:
                entry.lines.append(line.removeprefix("#"))
        yield entry


def configuration() -> str:
    """Return the page of the configuration."""
    lines = [_MADE, "# The configuration, key by key\n"]
    section = ""
    for entry in entries((shipped("etc") / "radius2fa.toml").read_text()):
        if entry.section:
            section = entry.section.strip("[]")
            lines.append(f"## `{entry.section}`\n")
        if entry.keys:
            lines += [f"- {_key(section, name, value)}" for name, value in entry.keys]
            lines.append("")
        for is_example, some in groupby(entry.lines, lambda line: line.startswith(_INDENT)):
            text = [line.removeprefix(_INDENT).strip() if not is_example else line[len(_INDENT) :] for line in some]
            lines += ["```text", *text, "```\n"] if is_example else [*text, ""]
    return "\n".join(lines)


def _key(section: str, name: str, value: str) -> str:
    limits = _limits(section, re.sub(r"_(file|credential)$", "", name))
    return f"**`{name}`** = `{value}`" + (f" ({limits})" if limits else "")


def _limits(section: str, name: str) -> str:
    """Return what the program says of a key's values: their least and most, or which there are."""
    model = SECTIONS.get(section) or SECTIONS.get(section.partition(".")[0])
    schema: dict[str, Any] = {} if model is None else model.model_json_schema(mode="validation")["properties"]
    found = schema.get(name, {})
    for each in (found, found.get("items", {}), *found.get("anyOf", ())):
        if "enum" in each:
            return "one of " + ", ".join(f'"{value}"' for value in each["enum"])
        least, most = each.get("minimum", each.get("exclusiveMinimum")), each.get("maximum")
        if least is not None and most is not None:
            above = "above " if "exclusiveMinimum" in each else ""
            return f"{above}{least:g} to {most:g}"
    return ""


def commands() -> str:
    """Return the page of the commands."""
    root = typer.main.get_command(app)
    lines = [_MADE, "# The commands\n", str(root.help) + "\n", str(getattr(root, "epilog", "")) + "\n"]
    lines += ["For all commands; `--config` may stand behind the command's name too:\n", *_table(root)]
    for path, command in _commands(root, ("radius2fa",)):
        with click.Context(command, info_name=" ".join(path)) as context:
            usage = command.get_usage(context).removeprefix("Usage: ")
        lines += [f"## `{' '.join(path)}`\n", (command.help or "").strip() + "\n", f"```text\n{usage}\n```\n"]
        lines += _table(command)
    return "\n".join(lines)


def _table(command: click.Command) -> list[str]:
    rows = list(_parameters(command))
    return ["| option or argument | means | default |", "|---|---|---|", *rows, ""] if rows else []


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    if command.invoke_without_command and len(path) > 1:  # it does something by itself, too
        yield path, command
    for name, inner in sorted(command.commands.items()):
        yield from _commands(inner, (*path, name))


def _parameters(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        names = ", ".join((*parameter.opts, *parameter.secondary_opts))
        value = f" {parameter.metavar}" if parameter.metavar else ""
        shown = names + value if names.startswith("-") else str(parameter.metavar or names).upper()
        words = " ".join([str(getattr(parameter, "help", "") or ""), *_choices(parameter)]).replace("|", "\\|")
        words = " ".join(words.split())
        told = getattr(parameter, "show_default", None)
        default = told if isinstance(told, str) else parameter.default
        plain = (
            default is None
            or default is False
            or default == ""
            or callable(default)
            or "Sentinel" in type(default).__name__
        )
        yield f"| `{shown}` | {words} | {'' if plain else f'`{default}`'} |"


def _choices(parameter: Any) -> Iterator[str]:  # noqa: ANN401 - Typer's parameters have no public type
    """Yield the values that an option takes, where they are few."""
    annotation = parameter.type_descriptor.annotation if hasattr(parameter, "type_descriptor") else None
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Enum) and len(kind) <= _FEW:
            yield f"One of {', '.join(f'`{each.value}`' for each in kind)}."
    if envvar := parameter.envvar:
        yield f"Or the environment's `{envvar}`."


PAGES = {"configuration.md": configuration, "commands.md": commands}


if __name__ == "__main__":
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page())
        sys.stdout.write(f"{FOLDER / file}\n")
