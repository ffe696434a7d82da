"""Owns our server under measure: its store filled, its configuration written, the installed program run."""

import base64
import os
import re
import socket
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.process import free_port, running, wait_until_listening, wait_until_ready
from bench.world import SECRET, Person, Server, World
from radius2fa.config.model import Store as StoreSettings
from radius2fa.otp.token import Kind, Token
from radius2fa.store.engine import open_store
from radius2fa.store.seal import KeyRing
from radius2fa.store.tokens import NewToken
from radius2fa.store.upgrade import upgrade
from tests.servers.slapd import ADMIN, ADMIN_PASSWORD, PEOPLE

CACHE_SECONDS = 600  # so that the passes after the first are warm, however long the run waits between them
PROGRAM = Path(sys.executable).with_name("radius2fa")

CONFIGURATION = """
[server]
listen = ["127.0.0.1:{port}"]
status_socket = ""

[store]
url = "sqlite:///{folder}/radius2fa.db"
key_file = "{folder}/master.key"

[[directory]]
urls = ["{url}"]
start_tls = false
driver = "{driver}"
bind_dn = "{bind_dn}"
bind_password = "{bind_password}"
base = "{base}"
cache_seconds = {cache_seconds}

[[client]]
name = "gateway"
addresses = ["127.0.0.1/32"]
secret = "{secret}"

[portal]
url = "http://localhost:{web}"
listen = ["127.0.0.1:{web}"]
"""

PAGES = ("/tokens", "/logins", "/tokens", "/enrol")  # what users look at


@contextmanager
def radius2fa(
    world: World,
    name: str,
    crowd: list[Person],
    driver: str,
    *,
    strangers: int = 0,
    each: int = 1,
    url: str = "",
    more: str = "",
    program: Sequence[str | Path] = (PROGRAM,),
) -> Iterator[Server]:
    """Run our server, ready to answer, with `each` tokens for each of the crowd and one for as many strangers.

    The folder `name` holds its state and is filled when it is used first. `url` is where the directory is, if not
    where the world has it; `more` goes into the configuration, and `program` is run in place of the installed one.
    """
    port, web, folder = free_port(), free_port(socket.SOCK_STREAM), world.folder / name
    if not folder.exists():
        folder.mkdir()
        fill(folder, crowd, strangers, each)
    configuration, log = folder / "radius2fa.toml", folder / "output.log"
    configuration.write_text(
        CONFIGURATION.format(
            port=port,
            web=web,
            folder=folder,
            url=url or world.ldap_url,
            driver=driver,
            bind_dn=ADMIN,
            bind_password=ADMIN_PASSWORD,
            base=PEOPLE,
            cache_seconds=CACHE_SECONDS,
            secret=SECRET,
        )
        + more
    )
    configuration.chmod(0o600)
    start = time.perf_counter()
    with running([*program, "--config", configuration, "serve"], log) as pid:
        wait_until_ready(pid, port, SECRET, log)
        yield Server(pid, port, time.perf_counter() - start)


@contextmanager
def pages(world: World, name: str) -> Iterator[Server]:
    """Run the portal of a server that was run by this name, ready to answer."""
    folder = world.folder / name
    configuration, log = folder / "radius2fa.toml", folder / "portal.log"
    (found,) = re.findall(r"^url = .http://localhost:(\d+)", configuration.read_text(), re.MULTILINE)
    start = time.perf_counter()
    with running([PROGRAM, "--config", configuration, "portal"], log) as pid:
        wait_until_listening(int(found), log)
        yield Server(pid, int(found), time.perf_counter() - start)


def fill(folder: Path, crowd: list[Person], strangers: int, each: int) -> None:
    """Make a store with TOTP tokens for each of the crowd and one for so many others, who never log in.

    Of several tokens, the one that its owner uses is the oldest.
    """
    key_file = folder / "master.key"
    key_file.write_bytes(base64.b64encode(os.urandom(32)))
    key_file.chmod(0o400)
    settings = StoreSettings(url=f"sqlite:///{folder}/radius2fa.db", key_file=key_file)
    upgrade(settings, lambda *_: None)
    store = open_store(settings, KeyRing.read(key_file), threads=1, clock=time.monotonic, random=os.urandom)
    owners = [(person.subject, person.name, person.seed) for person in crowd]
    owners += [(subject, name, os.urandom(20)) for subject, name, _ in owners for _ in range(each - 1)]
    owners += [(str(uuid.uuid4()), f"stranger-{number}", os.urandom(20)) for number in range(strangers)]
    tokens = [
        NewToken(Token(str(uuid.uuid4()), Kind.TOTP, seed), subject, name, serial=f"S{number:07d}")
        for number, (subject, name, seed) in enumerate(owners)
    ]
    store.tokens.add_many(tokens, time.time())
    store.close()
