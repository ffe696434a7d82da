"""The documents are held true: their configurations load, their files come in, their commands and links exist."""

import csv
import io
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from radius2fa.cli.main import app
from radius2fa.config.load import read
from radius2fa.login.reason import Reason
from radius2fa.server.replies import replies
from tests.cli.helpdesk import Helpdesk
from tests.config.files import DIRECTORY, SECRET
from tests.docs.pages import DOCS, Block, Command, Link, anchors, blocks, commands, links
from tests.servers.slapd import Slapd, person_ldif

FILES = blocks("csv", "xml")


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with Slapd(seed=person_ldif("alice", "secret") + person_ldif("bob", "secret")) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, slapd: Slapd) -> Helpdesk:
    made = Helpdesk(tmp_path, slapd)
    made.config.write_text(made.config.read_text().replace("base = ", 'realms = ["example.org"]\nbase = '))
    return made


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_a_configuration_is_valid_and_its_attributes_can_be_sent(block: Block, tmp_path: Path) -> None:
    config = tmp_path / "radius2fa.toml"
    config.touch(0o600)
    text = block.text.replace("/etc/radius2fa/", f"{tmp_path}/")
    config.write_text(completed(text))
    write_files_beside(tmp_path, tomllib.loads(text))

    reading = read(config, {})
    assert (reading.faults, reading.warnings) == ((), ())
    assert reading.settings is not None
    assert replies(reading.settings).faults == ()


@pytest.mark.parametrize("block", [file for file in FILES if "rejected" not in file.name], ids=str)
def test_an_import_file_comes_in_whole(block: Block, desk: Helpdesk, tmp_path: Path) -> None:
    assert imported(block, desk, tmp_path) == (entries(block), 0, [])


@pytest.mark.parametrize("block", [file for file in FILES if "rejected" in file.name], ids=str)
def test_rejected_entries_are_rejected_for_the_reasons_beside_them(
    block: Block, desk: Helpdesk, tmp_path: Path
) -> None:
    reasons = [row["reason"] for row in csv.DictReader(io.StringIO(block.text))]
    assert imported(block, desk, tmp_path) == (0, entries(block), reasons)


@pytest.mark.parametrize("command", commands(), ids=str)
def test_a_command_line_is_one_of_the_program(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for word in command.words:
        if Path(word).suffix:
            Path(word).touch()  # the parser opens the files that an option names

    rest = list(command.words)
    found: Any = typer.main.get_command(app)
    while rest and hasattr(found, "commands"):
        assert rest[0] in found.commands
        found = found.commands[rest.pop(0)]
    if rest:  # without anything behind it, it is spoken of, not typed
        found.make_context("radius2fa", rest).close()


@pytest.mark.parametrize("link", links(), ids=str)
def test_a_link_leads_somewhere(link: Link) -> None:
    path, _, anchor = link.target.partition("#")
    target = (link.page.parent / path).resolve() if path else link.page
    assert target.exists()
    assert not anchor or anchor in anchors(target)


def test_the_helpdesk_finds_every_reason_and_no_other() -> None:
    page = (DOCS / "lost-tokens.md").read_text().partition("## Why a login was refused")[2]
    firsts = re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)
    assert sorted(re.findall(r"`([^`]+)`", " ".join(firsts))) == sorted(Reason)


def completed(text: str) -> str:
    """An example with the sections that it needs besides: a directory, and each client that it speaks of."""
    given = tomllib.loads(text)
    present = {client["name"] for client in given.get("client", [])}
    wanted = {name for policy in given.get("policy", []) for name in policy.get("clients", [])} - present
    if not wanted | present:
        wanted = {"vpn"}
    clients = [
        f'\n[[client]]\nname = "{name}"\naddresses = ["198.51.100.{number}"]\nsecret = "{SECRET}"\n'
        for number, name in enumerate(sorted(wanted), 1)
    ]
    return "".join([text, "" if "directory" in given else DIRECTORY, *clients])


def write_files_beside(folder: Path, given: dict[str, Any]) -> None:
    """Write the dictionaries of the pages, and what the keys of an example name with `_file`."""
    for block in blocks("text"):
        if block.name:
            (folder / block.name).write_text(block.text)
    sections = [section for each in given.values() for section in (each if isinstance(each, list) else [each])]
    for section in sections:
        for key, value in section.items():
            if key.endswith("_file"):
                (folder / value).touch(0o600)
                (folder / value).write_text(SECRET)


def imported(block: Block, desk: Helpdesk, folder: Path) -> tuple[int, int, list[str]]:
    """Import a file: how many entries came in and how many were rejected, and why."""
    file = folder / block.name
    file.write_text(block.text)
    told = json.loads(desk.run("token", "import", str(file), "--json").stdout)
    return told["added"], told["rejected"], [group["reason"] for group in told["reasons"]]


def entries(block: Block) -> int:
    """How many tokens a file holds, as people count them."""
    if block.language == "xml":
        return block.text.count("<KeyPackage>")
    rows = block.text.splitlines()
    return len(rows) - rows[0].startswith(("serial,", "upn,"))
