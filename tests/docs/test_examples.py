"""The documents are held true: their configurations load, their files come in, their commands and links exist."""

import csv
import io
import json
import re
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from radius2fa.cli.main import app
from radius2fa.config.load import read
from radius2fa.directory.directories import Directories
from radius2fa.login.reason import Reason
from radius2fa.radius.packet import Drop
from radius2fa.server.drops import Silence
from radius2fa.server.replies import replies
from tests.cli.helpdesk import Helpdesk
from tests.config.files import DIRECTORY, SECRET
from tests.docs.pages import DOCS, ROOT, Block, Command, Link, anchors, blocks, commands, links, rows
from tests.servers.slapd import Slapd, person_ldif
from tests.servers.tls import Authority

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
def test_a_configuration_is_valid_and_can_be_put_to_use(block: Block, tmp_path: Path) -> None:
    config = tmp_path / "radius2fa.toml"
    config.touch(0o600)
    text = block.text.replace("/etc/radius2fa/", f"{tmp_path}/")
    config.write_text(completed(text))
    write_files_beside(tmp_path, tomllib.loads(text))

    reading = read(config, {})
    assert (reading.faults, reading.warnings) == ((), ())
    assert reading.settings is not None
    assert replies(reading.settings).faults == ()
    Directories.of(reading.settings, time.monotonic).close()  # its filters, URLs and certificates are looked at here


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
    while rest and hasattr(found, "commands") and not (found.invoke_without_command and rest[0].startswith("-")):
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


@pytest.mark.parametrize(
    ("page", "heading"),
    [("lost-tokens.md", "Why a login was refused"), ("troubleshooting.md", "Reasons")],
)
def test_every_reason_is_explained_and_no_other(page: str, heading: str) -> None:
    firsts = " ".join(row[0] for row in rows(DOCS / page, heading, "reason"))
    assert sorted(re.findall(r"`([^`]+)`", firsts)) == sorted(Reason)


def test_every_silence_is_explained_and_no_word_that_the_log_does_not_have() -> None:
    firsts = {row[0] for row in rows(DOCS / "troubleshooting.md", "Silence", "`why`")} - {"no line at all"}
    named = {first.strip("`") for first in firsts}
    assert {*Silence} <= named <= {*Silence, *Drop}


@pytest.mark.parametrize(
    "words",
    [
        row[0]
        for heading, first in (("Silence", "detail"), ("Nobody has this name", "it says"))
        for row in rows(DOCS / "troubleshooting.md", heading, first)
    ],
)
def test_what_is_quoted_in_troubleshooting_is_what_the_program_says(words: str) -> None:
    """Each part of it between the places where something else stands every time."""
    sources = "".join(file.read_text() for file in sorted((ROOT / "radius2fa").rglob("*.py")))
    assert [part for part in words.strip("`").split("…") if part.strip(" :") not in sources] == []


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
    """Write the dictionaries of the pages, and what the keys of an example name: secrets, and certificates."""
    for block in blocks("text"):
        if block.name:
            (folder / block.name).write_text(block.text)
    certificates = certificates_in(folder)
    sections = [section for each in given.values() for section in (each if isinstance(each, list) else [each])]
    inner = [value for section in sections for value in section.values() if isinstance(value, dict)]
    for section in (*sections, *inner):
        for key, value in section.items():
            if key in certificates:
                write_secretly(folder / value, certificates[key])
            elif key.endswith("_file"):
                write_secretly(folder / value, SECRET)


def certificates_in(folder: Path) -> dict[str, str]:
    """What the keys of a directory, and of the portal, name for TLS: an authority, and a certificate with its key."""
    authority = Authority(folder)
    ours = authority.good()
    files = {"ca_file": authority.ca_file, "client_certificate": ours.certificate, "client_key": ours.key}
    files |= {"certificate": ours.certificate, "key": ours.key}
    return {key: file.read_text() for key, file in files.items()}


def write_secretly(file: Path, text: str) -> None:
    """Write what nobody else may read."""
    file.touch(0o600)
    file.write_text(text)


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
