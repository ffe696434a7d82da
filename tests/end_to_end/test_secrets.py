"""No secret is ever in a log line, a traceback, what a command prints, the process list, or the database in clear.

Every secret here is a canary that occurs nowhere else. They are driven through every path, with the log at `debug`.
"""

import base64
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from radius2fa.otp.token import YubiKey
from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import hotp_codes, new_seed
from tests.end_to_end.radius import ACCEPT, CHALLENGE, REJECT, STATE, Nas
from tests.otp.touched import touched
from tests.radius import wire
from tests.servers.program import Section
from tests.servers.slapd import Slapd, person_dn, person_ldif

PASSWORD = b"canary-Passw\xc3\xb6rt-7Qx"
WRONG_PASSWORD = b"canary-wrong-9Kd"
BIND_PASSWORD = "canary-service-4Tz"
WRONG_BIND_PASSWORD = "canary-former-8Wb"
SHARED_SECRET = "canary-shared-24-octets-5Rv"

CLIENTS = (
    {**client("appended", "127.0.0.1"), "secret": SHARED_SECRET},
    {**client("challenge", "127.0.0.2", code="challenge"), "secret": SHARED_SECRET},
    {**client("ascii", "127.0.0.3", charset="ascii"), "secret": SHARED_SECRET},
)

# Whoever has no token may bring a YubiKey, so that what is typed is looked for in the stock.
ADOPTION: Section = {"name": "adoption", "clients": ["challenge"], "adopt_yubikeys": True}
PSKC = Path(__file__).parents[1] / "vectors" / "pskc"

Forms = Mapping[str, bytes]


def forms(name: str, secret: bytes) -> Iterator[tuple[str, bytes]]:
    """A secret as it is, and as programs like to show it: in hex, base64, base32, as a Python or JSON escape."""
    yield name, secret
    yield f"{name} in hex", secret.hex().encode()
    yield f"{name} in base64", base64.b64encode(secret).rstrip(b"=")
    yield f"{name} in base32", base64.b32encode(secret).rstrip(b"=")
    yield f"{name} escaped", ascii(secret)[2:-1].encode()
    if not secret.isascii():
        text = secret.decode(errors="replace")
        yield f"{name} as text, escaped", ascii(text)[1:-1].encode()
        yield f"{name} in JSON", json.dumps(text)[1:-1].encode()


@pytest.fixture(scope="module")
def canaries(ready: Ready) -> dict[str, bytes]:
    """The secrets by name; the tests add those that are made on the way."""
    master = ready.key.read_text().strip()
    return {
        "password": PASSWORD,
        "wrong password": WRONG_PASSWORD,
        "bind password": BIND_PASSWORD.encode(),
        "wrong bind password": WRONG_BIND_PASSWORD.encode(),
        "shared secret": SHARED_SECRET.encode(),
        "master key": base64.b64decode(master),
        "master key, as written": master.encode(),
        "seed": new_seed(),
        "seed of a fob": new_seed(),
        "seed that is rejected": new_seed(),
        "AES key": os.urandom(16),
        "private id": os.urandom(6),
        "key of a PSKC file": os.urandom(32),
        "password of a PSKC file": b"canary-transport-3Hn",
    }


def leaked(text: bytes, canaries: Mapping[str, bytes]) -> list[str]:
    """Return the names of the secrets that are in a text, in any form and in any case."""
    lower = text.lower()
    found = {form: octets for name, secret in canaries.items() for form, octets in forms(name, secret)}
    return [form for form, octets in found.items() if octets.lower() in lower]


@pytest.fixture(scope="module")
def frail_slapd() -> Iterator[Slapd]:
    seed = person_ldif("canary", PASSWORD) + person_ldif("heir", PASSWORD) + person_ldif("service", BIND_PASSWORD)
    with Slapd(seed=seed) as slapd:
        yield slapd


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, frail_slapd: Slapd, ready: Ready) -> Iterator[House]:
    service: Section = {"bind_dn": person_dn("service"), "bind_password": BIND_PASSWORD}
    directory = directory_section(frail_slapd, cache_seconds=0, **service)
    folder = tmp_path_factory.mktemp("secrets")
    more = [("[[policy]]", ADOPTION)]
    with House(folder, frail_slapd, ready, clients=CLIENTS, directory=directory, more=more, level="debug") as house:
        yield house


@pytest.fixture(scope="module")
def said(house: House, canaries: dict[str, bytes]) -> dict[str, bytes]:
    """All that the program said, by where it said it, after every path was walked."""
    printed = enrol(house, canaries["seed"])
    codes = hotp_codes(canaries["seed"], digits=8)
    canaries.update({f"code {number}": code for number, code in enumerate(codes[:12])})
    walk_logins(house, codes, canaries)
    printed += walk_imports(house, canaries)
    walk_yubikey(house, canaries)
    printed += walk_issued_codes(house, canaries)
    database = database_octets(house)  # while a challenge waits
    printed += walk_breakdowns(house, codes)
    printed += walk_commands(house)
    printed += walk_a_bug(house, codes)
    processes = b"".join(processes_now(house.program.pid))
    assert house.program.stop() == 0
    return {
        "log": house.program.output.encode(),
        "commands": printed.encode(errors="surrogateescape"),
        "database": database + database_octets(house),
        "processes": processes,
        "journal": repr(house.query("SELECT * FROM journal")).encode(),
    }


def enrol(house: House, seed: bytes) -> str:
    """Add a token of 8 digits, which do not occur in a log by chance, with a seed from a file."""
    file = house.program.folder / "seed"
    file.write_text(seed.hex())
    options = ("--kind", "hotp", "--digits", "8", "--seed-file", str(file))
    added = house.program.run("token", "add", "canary", *options)
    file.unlink()
    return added.stdout + added.stderr


def walk_logins(house: House, codes: list[bytes], canaries: dict[str, bytes]) -> None:
    """Accepted, refused in many ways, challenged; the last challenge stays open."""
    with house.nas("appended") as nas, house.nas("challenge") as asking, house.nas("ascii") as narrow:
        assert nas.login("canary", PASSWORD + codes[0]).code == ACCEPT
        for typed in (
            PASSWORD + codes[0],
            PASSWORD,
            WRONG_PASSWORD + codes[1],
            PASSWORD + b"\0" + codes[1],
            b"\xff" + PASSWORD + codes[1],
        ):
            assert nas.login("canary", typed).code == REJECT
        assert narrow.login("canary", PASSWORD + codes[1]).code == REJECT
        assert nas.login("nobody", PASSWORD + codes[1]).code == REJECT
        assert nas.login("nobody\n", PASSWORD + codes[1]).code == REJECT
        assert nas.is_dropped(nas.request("canary", PASSWORD + codes[1], signed=False))
        assert nas.is_dropped(wire.access_request(b"canary", PASSWORD, secret=b"another", identifier=200))
        answered = ask(asking, canaries, "answered State")
        assert asking.login("canary", codes[1], state=answered).code == ACCEPT
        assert asking.login("canary", codes[2], state=answered).code == REJECT
        assert asking.login("canary", codes[1], state=ask(asking, canaries, "refused State")).code == REJECT
        ask(asking, canaries, "waiting State")


def walk_imports(house: House, canaries: dict[str, bytes]) -> str:
    """A fob and a YubiKey come in, a row is rejected, and two files stay closed to what is given to open them."""
    folder = house.program.folder
    fobs = f"FOB-1,{canaries['seed of a fob'].hex()},hotp,8\nFOB-2,{canaries['seed that is rejected'].hex()},hotp,9\n"
    keys = f"17,ddddgciilcjk,{canaries['private id'].hex()},{canaries['AES key'].hex()},,,,\n"
    files = {
        "fobs.csv": fobs.encode(),
        "keys.csv": keys.encode(),
        "key": canaries["key of a PSKC file"].hex().encode(),
        "password": canaries["password of a PSKC file"],
    }
    for name, text in files.items():
        (folder / name).write_bytes(text)
    rejecting = ("token", "import", str(folder / "fobs.csv"))
    refused = [
        ("token", "import", str(PSKC / "aes256.xml"), "--key-file", str(folder / "key")),
        ("token", "import", str(PSKC / "pbkdf2.xml"), "--password-file", str(folder / "password")),
    ]
    printed = printed_by(house, ("token", "import", str(folder / "keys.csv"), "--dry-run"))
    printed += printed_by(house, ("token", "import", str(folder / "keys.csv")))
    printed += printed_by(house, rejecting, *refused, expect=1)
    printed += printed_by(house, ("token", "assign", "FOB-1", "canary"), ("token", "list", "--unassigned", "--json"))
    return printed


def walk_yubikey(house: House, canaries: dict[str, bytes]) -> None:
    """The imported fob answers; the imported YubiKey is adopted, used again, out of date, broken, and left waiting."""
    for number, code in enumerate(hotp_codes(canaries["seed of a fob"], digits=8)[:2]):
        canaries[f"code {number} of the fob"] = code
    key = YubiKey("", "ddddgciilcjk", canaries["AES key"], canaries["private id"])
    for session in range(1, 5):
        canaries[f"touch {session}"] = touched(key, 1, session)[len(key.public_id) :]
    touch = {session: key.public_id.encode() + canaries[f"touch {session}"] for session in range(1, 5)}
    with house.nas("appended") as nas, house.nas("challenge") as asking:
        assert nas.login("canary", PASSWORD + canaries["code 0 of the fob"]).code == ACCEPT
        states = [asking.login("heir", PASSWORD).answer.one(STATE) for _ in range(3)]
        assert asking.login("heir", touch[2], state=states[0]).code == ACCEPT
        assert asking.login("heir", touch[1], state=states[1]).code == REJECT
        assert (
            asking.login("heir", touch[4][:-1] + (b"d" if touch[4].endswith(b"c") else b"c"), state=states[2]).code
            == REJECT
        )
        assert nas.login("heir", PASSWORD + touch[2].upper()).code == REJECT
        assert nas.login("heir", WRONG_PASSWORD + touch[3]).code == REJECT
        assert asking.login("heir", PASSWORD + touch[3]).code == CHALLENGE


def walk_issued_codes(house: House, canaries: dict[str, bytes]) -> str:
    """Recovery codes and a temporary one are made (and shown, once), used, used again, rehearsed and revoked."""
    with ThreadPoolExecutor(2) as pool:
        commands = [("user", "recovery-codes", "canary", "--json"), ("user", "temp-code", "canary", "--json")]
        lists, made = (json.loads(done.stdout) for done in pool.map(lambda each: house.program.run(*each), commands))
    for number, code in enumerate(lists["codes"]):
        canaries[f"recovery code {number}"] = code.encode()
        canaries[f"recovery code {number}, without its hyphen"] = code.replace("-", "").encode()
    canaries["temporary code"] = made["code"].encode()
    with house.nas("appended") as nas:
        for name in ("recovery code 0", "recovery code 1, without its hyphen", "temporary code"):
            assert nas.login("canary", PASSWORD + canaries[name]).code == ACCEPT
            assert nas.login("canary", PASSWORD + canaries[name]).code == REJECT
    typed = f"{PASSWORD.decode()}\n{lists['codes'][2]}\n"
    rehearsed = house.program.run("explain", "canary", "--client", "appended", stdin=typed)
    return (
        rehearsed.stdout
        + rehearsed.stderr
        + printed_by(house, ("user", "temp-code", "canary", "--revoke"), ("user", "show", "canary", "--json"))
    )


def ask(asking: Nas, canaries: dict[str, bytes], name: str) -> bytes:
    asked = asking.login("canary", PASSWORD)
    assert asked.code == CHALLENGE
    canaries[name] = asked.answer.one(STATE)
    canaries[f"{name}, as octets"] = bytes.fromhex(asked.answer.one(STATE).decode())
    return canaries[name]


def walk_breakdowns(house: House, codes: list[bytes]) -> str:
    """The directory is down; then it does not know the service's password any more."""
    printed = ""
    house.slapd.stop()
    with house.nas("appended") as nas:
        nas.send(nas.request("canary", PASSWORD + codes[2]))
        house.program.wait_for(lambda line: line.get("why") == "backend-unavailable")
        printed += printed_by(house, ("check",), ("user", "show", "canary"), expect=69)
        house.slapd.start()
        text = house.program.config.read_text()
        house.program.config.write_text(text.replace(BIND_PASSWORD, WRONG_BIND_PASSWORD))
        refused = house.program.run("check", expect=69)
        house.program.config.write_text(
            text.replace(f'"{BIND_PASSWORD}"', f'["{BIND_PASSWORD}"]').replace("reject_delay", "reject_dela")
        )
        wrong = house.program.run("check", "--json", expect=78)
        house.program.config.write_text(text.replace(f'"{BIND_PASSWORD}"', f'"{BIND_PASSWORD}'))
        broken = house.program.run("serve", expect=78)
        house.program.config.write_text(text)
    for done in (refused, wrong, broken):
        printed += done.stdout + done.stderr
    return printed


def walk_commands(house: House) -> str:
    token = own_token(house)
    printed = printed_by(
        house, ("check",), ("user", "show", "canary"), ("token", "list", "--json"), ("token", "show", token)
    )
    failed = house.program.run("token", "resync", token, stdin="11111111\n22222222\n", expect=1)
    return printed + failed.stdout + failed.stderr


def own_token(house: House) -> str:
    """The token that was added by hand."""
    ((token,),) = house.query("SELECT id FROM token WHERE kind = 'hotp' AND serial IS NULL")
    return str(token)


def printed_by(house: House, *commands: tuple[str, ...], expect: int = 0) -> str:
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda command: house.program.run(*command, expect=expect), commands))
    return "".join(each.stdout + each.stderr for each in done)


def walk_a_bug(house: House, codes: list[bytes]) -> str:
    """A row that the program never writes makes it stumble, in the server and in a command."""
    with closing(sqlite3.connect(house.program.database)) as connection:
        connection.execute("UPDATE token SET digits = 7 WHERE kind = 'hotp'")
        connection.commit()
    with house.nas("appended") as nas:
        nas.send(nas.request("canary", PASSWORD + codes[3]))
        house.program.wait_for(lambda line: line.get("why") == "internal-error")
    failed = house.program.run("token", "qr", own_token(house), expect=70)
    assert "a fault of the program" in failed.stderr
    return failed.stdout + failed.stderr


def database_octets(house: House) -> bytes:
    files = sorted(house.program.database.parent.glob("radius2fa.db*"))
    return b"".join(file.read_bytes() for file in files)


def processes_now(server: int) -> Iterator[bytes]:
    """The command line of every process, and the environment of the server."""
    for file in (*Path("/proc").glob("[0-9]*/cmdline"), Path(f"/proc/{server}/environ")):
        try:
            yield file.read_bytes()
        except OSError:  # it has ended
            continue


@pytest.mark.parametrize("where", ["log", "commands", "database", "processes", "journal"])
def test_no_secret_is_said(where: str, said: dict[str, bytes], canaries: dict[str, bytes]) -> None:
    assert said[where]
    assert leaked(said[where], canaries) == []


def test_every_path_was_walked(said: dict[str, bytes], house: House) -> None:
    """Or the test above would prove little."""
    assert {str(line["reason"]) for line in house.program.events("rejected")} == {
        "code-already-used",
        "no-code",
        "wrong-password",
        "bad-password-octets",
        "wrong-shared-secret-or-charset",
        "no-such-user",
        "bad-name",
        "state-unknown",
        "wrong-code",
    }
    assert {str(line["why"]) for line in house.program.events("dropped")} == {
        "no-message-authenticator",
        "wrong-message-authenticator",
        "backend-unavailable",
        "internal-error",
    }
    assert len(house.program.events("accepted")) == 2 + 2 + 3
    assert b"a fault of the program" in said["commands"]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (f"password={PASSWORD!r}".encode(), "password escaped"),
        (b"password=" + PASSWORD, "password"),
        (json.dumps({"password": PASSWORD.decode()}).encode(), "password in JSON"),
        (f"password={PASSWORD.hex().upper()}".encode(), "password in hex"),
        (ascii(PASSWORD.decode()).encode(), "password as text, escaped"),
    ],
)
def test_a_secret_would_be_found(text: bytes, form: str, canaries: dict[str, bytes]) -> None:
    """In each form that a careless line would have it."""
    assert leaked(text, canaries) == [form]
