"""A person at the command line: the real program over a real slapd and a real SQLite store."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from radius2fa.cli.main import app
from radius2fa.config.load import load
from radius2fa.store.engine import Store, open_store
from radius2fa.store.seal import KeyRing, new_key_text
from radius2fa.store.upgrade import upgrade
from tests.servers.slapd import ADMIN, ADMIN_PASSWORD, PEOPLE, Slapd

_CONFIGURATION = """\
[server]
status_socket = "status.sock"

[store]
url = "sqlite:///{folder}/radius2fa.db"
key_file = "master.key"

[[directory]]
urls = ["ldap://127.0.0.1:{port}"]
start_tls = false
bind_dn = "{admin}"
bind_password = "{password}"
base = "{base}"

[[client]]
name = "vpn"
addresses = ["127.0.0.1"]
secret = "the shared secret of the tests"

[codes]
issuer = "ACME VPN"
"""


class Helpdesk:
    """Runs commands on an installation of its own in `folder`, whose people are those of the slapd."""

    def __init__(self, folder: Path, slapd: Slapd) -> None:
        self.config = folder / "radius2fa.toml"
        self.socket = folder / "status.sock"
        self.config.write_text(
            _CONFIGURATION.format(folder=folder, port=slapd.port, admin=ADMIN, password=ADMIN_PASSWORD, base=PEOPLE)
        )
        self.replace_key()
        upgrade(load(self.config).store, lambda _step, _done, _all: None)

    def run(self, *arguments: str, typed: str = "") -> Result:
        """Run a command in this process, with what is typed at its prompts."""
        return CliRunner().invoke(app, ["--config", str(self.config), *arguments], input=typed)

    def says(self, *arguments: str, typed: str = "") -> str:
        """What a command prints that ends well."""
        result = self.run(*arguments, typed=typed)
        assert result.exit_code == 0, result.output
        return result.stdout

    def knows(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.says(*arguments, "--json"))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the installed program, with pipes."""
        program = Path(sys.executable).with_name("radius2fa")
        command = [str(program), "--config", str(self.config), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    @contextmanager
    def asked(self, prompt: str, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
        """Start the installed program, and give it when it waits at a prompt that ends so."""
        with self.start(*arguments) as program:
            assert program.stdout is not None
            shown = ""
            while not shown.endswith(prompt):
                letter = program.stdout.read(1)
                assert letter, f"it ended after {shown!r}"
                shown += letter
            yield program

    def replace_key(self) -> None:
        """Make a new master key."""
        file = self.config.with_name("master.key")
        file.unlink(missing_ok=True)
        file.write_text(new_key_text(os.urandom))
        file.chmod(0o400)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, as the server opens it."""
        settings = load(self.config)
        keys = KeyRing.read(settings.store.key_file)
        with closing(open_store(settings.store, keys, threads=1, clock=time.monotonic, random=os.urandom)) as store:
            yield store
