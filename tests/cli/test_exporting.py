"""The support bundle: what helps is in it, and no secret, each of which is a canary here."""

import base64
import json
import os
import sqlite3
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from radius2fa.otp.token import Kind, Token, YubiKey
from radius2fa.store.tokens import NewToken
from tests.cli.files import command, configured
from tests.cli.helpdesk import Helpdesk

CANARIES = {
    "shared secret": b"canary-shared-24-octets-5Rv",
    "shared secret in a file": b"canary-shared-of-a-file-1Yd",
    "bind password": b"canary-service-4Tz",
    "mail password": b"canary-mail-6Pw",
    "former secret in a comment": b"canary-comment-2Lc",
    "secret under a misspelt key": b"canary-misspelt-9Qe",
    "secret in the wrong section": b"canary-section-3Gh",
    "secret of a reply": b"canary-tunnel-password-8Jk",
    "store password": b"canary-database-7Bn",
    "password in a URL": b"canary-of-an-url-0Xs",
}

CONFIGURATION = """\
# secret = "canary-comment-2Lc"
[server]
listen = ["127.0.0.1:0"]
status_socket = "status.sock"
[store]
url = "sqlite:///{folder}/radius2fa.db"
key_file = "master.key"
[[directory]]
urls = ["ldap://127.0.0.1:1"]
start_tls = false
bind_dn = "cn=service,dc=example,dc=org"
bind_password = "canary-service-4Tz"
base = "dc=example,dc=org"
[[client]]
name = "vpn"
addresses = ["127.0.0.1"]
secret = "canary-shared-24-octets-5Rv" # canary-comment-2Lc
[[client]]
name = "ssh"
addresses = ["127.0.0.2"]
secret_file = "ssh.secret"
[[policy]]
name = "board"
users = ["alice"]
[policy.reply]
Tunnel-Password = "canary-tunnel-password-8Jk"
[portal]
url = "https://portal.example.org"
[portal.mail]
server = "mail.example.org"
sender = "radius2fa@example.org"
user = "mailer"
password = "canary-mail-6Pw"
{more}"""

BROKEN = """\
scret = "canary-misspelt-9Qe"
secret = ["canary-section-3Gh"]
[secrets]
vpn = "canary-misspelt-9Qe"
[log]
secret = "canary-section-3Gh"
level = { password = "canary-section-3Gh" }
[codes]
issuer = "https://user:canary-of-an-url-0Xs@example.org/?password=canary-of-an-url-0Xs"
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A configuration full of secrets, with tokens, codes, logins and acts in its database."""
    config = configured(tmp_path)
    written(config)
    return config


def written(config: Path, more: str = "") -> None:
    (config.parent / "ssh.secret").write_bytes(CANARIES["shared secret in a file"])
    config.write_text(CONFIGURATION.format(folder=config.parent, more=more))
    config.chmod(0o600)


def forms(secret: bytes) -> Iterator[bytes]:
    """The secret as it is, in hex, and in base64 wherever in a text it begins."""
    yield secret
    yield secret.hex().encode()
    for shift in range(3):
        yield base64.b64encode(bytes(shift) + secret)[4 if shift else 0 :].rstrip(b"=")[:-1]
    yield base64.b32encode(secret).rstrip(b"=")


def pages(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as bundle:
        return {
            member.name.removeprefix("radius2fa-support/"): taken.read()
            for member in bundle
            if (taken := bundle.extractfile(member)) is not None
        }


def exported(config: Path, *options: str) -> dict[str, bytes]:
    file = config.parent / "support.tar.gz"
    file.unlink(missing_ok=True)
    done = command(config, "export", "--censored", str(file), *options)
    assert done.exit_code == 0, done.output
    assert file.stat().st_mode & 0o777 == 0o600
    found = pages(file)
    found["printed"] = done.output.encode()
    return found


def leaked(bundle: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> list[tuple[str, str]]:
    return [
        (name, page)
        for page, text in bundle.items()
        for name, secret in secrets.items()
        if any(form.lower() in text.lower() for form in forms(secret))
    ]


def inhabited(desk: Helpdesk) -> dict[str, bytes]:
    """Put in tokens, codes, acts and logins of every sort, and return what of it is secret."""
    seeds = {"seed": os.urandom(20), "AES key": os.urandom(16)}
    with desk.store() as store:
        writing = store.by("cli:root", "alice called about canary-why-4Fg")
        writing.tokens.add(NewToken(Token("t1", Kind.HOTP, seeds["seed"]), "alice-id", "alice", label="alice's"), 1.0)
        key = YubiKey("y1", "ddddgciilcjk", seeds["AES key"], b"\1\2\3\4\5\6")
        writing.tokens.add(NewToken(key, serial="SN-1"), 1.0)
        codes = writing.codes.new_recovery("alice-id", "alice", 2.0)
        temporary = writing.codes.new_temporary("alice-id", "alice", until=time.time() + 900, uses=2, when=time.time())
    return seeds | {f"code {number}": code.encode() for number, code in enumerate((*codes, temporary))}


def test_no_secret_of_the_configuration_is_in_it(house: Path) -> None:
    found = exported(house)
    assert leaked(found, CANARIES) == []
    assert {"database.json", "status.json", "journal.jsonl", "act.jsonl"} <= found.keys(), "the whole bundle"
    assert leaked({"configuration": house.read_bytes()}, CANARIES) != [], "they are looked for in a way that finds them"
    told = json.loads(found["configuration.json"])
    assert told["client"][0] == {"name": "vpn", "addresses": ["127.0.0.1"], "secret": "(removed)"}
    assert told["client"][1]["secret_file"] == "ssh.secret"
    assert told["directory"][0]["bind_dn"] == "cn=service,dc=example,dc=org"
    assert told["policy"][0] == {"name": "board", "users": "(removed)", "reply": {"Tunnel-Password": "(removed)"}}
    assert told["portal"]["mail"]["password"] == "(removed)"


def test_no_secret_of_a_faulty_configuration_is_in_it_either(house: Path) -> None:
    stored = house.read_text().replace("[store]\n", '[store]\npassword = "canary-database-7Bn"\n')
    house.write_text(BROKEN + stored)
    found = exported(house)
    assert json.loads(found["check.json"])["exit_code"] == 78
    assert leaked(found, CANARIES) == []


def test_a_configuration_that_is_no_toml_is_told_of_without_its_text(house: Path) -> None:
    house.write_text('[[client]]\nsecret = "canary-shared-24-octets-5Rv\n')
    found = exported(house)
    assert leaked(found, CANARIES) == []
    assert "is not TOML" in json.loads(found["check.json"])["checks"][0]["message"]


def test_a_wrong_key_file_and_no_database_are_told_of(house: Path) -> None:
    house.with_name("master.key").chmod(0o644)
    house.with_name("radius2fa.db").unlink()
    found = exported(house)
    assert json.loads(found["database.json"]) == {"failed": "SchemaTooOld"}
    assert "database" in json.loads(found["status.json"])


def test_no_key_seed_or_code_is_in_it(desk: Helpdesk) -> None:
    secrets = inhabited(desk)
    text = desk.config.with_name("master.key").read_text().strip()
    secrets |= {"master key": base64.b64decode(text), "shared secret": b"the shared secret of the tests"}
    found = exported(desk.config, "--with-names")
    assert leaked(found, secrets) == []
    assert leaked({"key": text.encode()}, secrets) == [("master key", "key")]


def records(found: Mapping[str, bytes], page: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found[page].splitlines()]


def test_names_are_pseudonyms_that_stay_the_same(desk: Helpdesk) -> None:
    inhabited(desk)
    found = exported(desk.config)
    for page, text in found.items():
        if page not in {"printed", "README"}:
            assert b"alice" not in text, page
    names = {each["name"] for each in records(found, "act.jsonl") if each["name"]}
    assert len(names) == 1
    assert names.pop().startswith("user-")
    status = json.loads(found["status.json"])
    (temporary,) = status["temporary_codes"]
    assert temporary["user"] in {each["name"] for each in records(found, "act.jsonl")}
    assert records(exported(desk.config), "act.jsonl") == records(found, "act.jsonl")


def test_names_are_kept_where_that_is_asked_for_but_never_what_was_nobodys(desk: Helpdesk) -> None:
    inhabited(desk)
    with closing(sqlite3.connect(desk.config.with_name("radius2fa.db"))) as connection, connection:
        connection.executemany(
            "INSERT INTO journal (attempt, at, client, name, subject, source, result)"
            " VALUES ('0b', 1, 'vpn', ?, ?, '192.0.2.7', 'reject')",
            [("alice", "alice-id"), ("canary-typed-as-name-5Cd", None)],
        )
    found = exported(desk.config, "--with-names")
    known, unknown = records(found, "journal.jsonl")
    assert (known["name"], known["source"]) == ("alice", "192.0.2.7")
    assert unknown["name"] == "(nobody's name, of 24 characters)"
    assert b"canary-why-4Fg" not in found["act.jsonl"], "reasons are free text"
    assert b"192.0.2.7" not in b"".join(exported(desk.config).values())


def test_it_tells_versions_counts_revision_and_no_more_rows_than_asked_for(desk: Helpdesk) -> None:
    inhabited(desk)
    found = exported(desk.config, "--rows", "2")
    versions, database = json.loads(found["versions.json"]), json.loads(found["database.json"])
    assert versions["libraries"]["sqlalchemy"].startswith("2.")
    assert (database["kind"], database["counts"]["account"]) == ("sqlite", 1)
    assert len(records(found, "act.jsonl")) == 2


def test_there_is_no_export_with_secrets(desk: Helpdesk, tmp_path: Path) -> None:
    refused = desk.run("export", str(tmp_path / "all.tar.gz"))
    assert refused.exit_code == 64
    assert not (tmp_path / "all.tar.gz").exists()
