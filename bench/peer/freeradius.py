"""Owns the peer: FreeRADIUS with rlm_ldap and rlm_totp, the way most sites would build this without us."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.process import free_port, running, wait_until_ready
from bench.world import SECRET, Server, World
from tests.servers.slapd import ADMIN, ADMIN_PASSWORD, PEOPLE

SEED = b"the seed of everyone"  # 20 octets; rlm_totp wants it in base32
SEED_BASE32 = "ORUGKIDTMVSWIIDPMYQGK5TFOJ4W63TF"
THREADS = 16  # as many as radius2fa's workers
INSTALL = "apt-get install freeradius freeradius-ldap"


def missing() -> bool:
    """Tell whether FreeRADIUS or one of the two modules is not installed."""
    return program() is None or library() is None


def program() -> str | None:
    """Return the path of FreeRADIUS: Debian's name for it, or its own."""
    return shutil.which("freeradius") or shutil.which("radiusd", path="/usr/sbin:/usr/local/sbin")


def library() -> Path | None:
    """Return the folder that holds both modules."""
    for folder in ("/usr/lib/freeradius", "/usr/lib64/freeradius", "/usr/local/lib"):
        if all((Path(folder) / f"rlm_{module}.so").exists() for module in ("ldap", "totp")):
            return Path(folder)
    return None


@contextmanager
def freeradius(world: World) -> Iterator[Server]:
    """Run FreeRADIUS on the world's directory, ready to answer."""
    port, folder = free_port(), world.folder / "freeradius"
    folder.mkdir()
    text = Path(__file__).with_name("radiusd.conf.in").read_text(encoding="utf-8")
    values = {
        "DIR": folder,
        "LIBRARIES": library(),
        "PORT": port,
        "SECRET": SECRET,
        "THREADS": THREADS,
        "SEED": SEED_BASE32,
        "LDAP_URL": world.ldap_url,
        "BASE": PEOPLE,
        "BIND_DN": ADMIN,
        "BIND_PASSWORD": ADMIN_PASSWORD,
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    (folder / "radiusd.conf").write_text(text, encoding="utf-8")
    (folder / "radiusd.conf").chmod(0o640)  # it refuses one that others can write
    log = folder / "output.log"
    start = time.perf_counter()
    with running([program(), "-d", folder, "-f", "-l", "stdout"], log) as pid:
        wait_until_ready(pid, port, SECRET, log)
        yield Server(pid, port, time.perf_counter() - start)
