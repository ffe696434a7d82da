import errno
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from radius2fa.cli.check import exit_code
from radius2fa.cli.examine import address, clock, holder, kernel_synchronised, unbound
from radius2fa.cli.verdict import Check, Verdict
from radius2fa.config.model import Listen
from tests.cli.files import SECRET, command, configured
from tests.servers.faulty_ldap import FaultyLdap, entries
from tests.servers.slapd import Slapd, person_ldif

NOON = 1_782_000_000.0  # in 2026


def found(config: Path, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = command(config, "check", "--json", *options)
    report = json.loads(done.stdout)
    assert report["exit_code"] == done.exit_code
    return done.exit_code, {check["subject"]: check for check in report["checks"]}


def test_with_a_directory_that_answers_all_is_well(tmp_path: Path) -> None:
    with Slapd(seed=person_ldif("alice", "wonderland")) as slapd:
        code, checks = found(configured(tmp_path, url=slapd.uri))
        assert code == 0
        assert {check["verdict"] for check in checks.values()} <= {"ok", "warning"}
        for subject in (
            "master key",
            "database",
            f"{slapd.uri} base",
            f"{slapd.uri} id attribute",
            "listen 127.0.0.1:0",
        ):
            assert checks[subject]["verdict"] == "ok"


def test_offline_looks_at_the_configuration_only(tmp_path: Path) -> None:
    config = configured(tmp_path)
    code, checks = found(config, "--offline")
    assert (code, list(checks)) == (0, [str(config)])
    assert checks[str(config)]["message"] == "clients: 1, policies: 0"


def test_a_directory_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    code, checks = found(configured(tmp_path))
    assert code == 69
    assert checks["ldap://127.0.0.1:1 connection"]["verdict"] == "unavailable"


def test_every_fault_of_the_configuration_is_shown_and_nothing_is_tried(tmp_path: Path) -> None:
    config = configured(tmp_path, more='code = "never"\ncharset = "klingon"\n')
    code, checks = found(config)
    assert code == 78
    assert {subject: check["message"] for subject, check in checks.items()} == {
        f"{config}:14": "client[1].code: must be 'appended', 'challenge' or 'either'",
        f"{config}:15": "client[1].charset: 'klingon' is no charset for passwords",
    }


def test_a_reply_attribute_is_checked_against_the_dictionaries(tmp_path: Path) -> None:
    policy = (
        '[[policy]]\nname = "staff"\nreply = { Filter-Id = "staff", Session-Timeout = ["soon", 5], Filtre-Id = "x" }\n'
    )
    config = configured(tmp_path, more=policy)
    done = command(config, "check", "--offline", "--json")
    faults = [(check["subject"], check["message"], check["remedy"]) for check in json.loads(done.stdout)["checks"]]
    assert done.exit_code == 78
    assert faults == [
        (
            f"{config}:16",
            "policy[1].reply.Session-Timeout: Session-Timeout: 'soon' does not fit the type integer",
            "Correct the value.",
        ),
        (
            f"{config}:16",
            "policy[1].reply.Filtre-Id: no dictionary knows 'Filtre-Id': is it Filter-Id?",
            "Correct the name, or give the dictionary that it stands in as server.dictionaries.",
        ),
    ]


def test_a_dictionary_of_the_site_is_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    policy = '[[policy]]\nname = "staff"\nreply = { Acme-Role = "boss" }\n'
    config = configured(tmp_path, more=policy)
    config.write_text(config.read_text().replace("[server]", '[server]\ndictionaries = ["acme.dict"]'))
    (tmp_path / "acme.dict").write_text("ATTRIBUTE Acme-Role 224 string\n")
    assert found(config, "--offline")[0] == 0
    (tmp_path / "acme.dict").write_text("ATTRIBUTE Acme-Role 224 strong\n")
    code, checks = found(config, "--offline")
    assert code == 78
    assert checks[f"{config}:2"]["message"].startswith(f"server.dictionaries: {tmp_path}/acme.dict:1: ")


def test_an_end_in_the_past_is_a_warning(tmp_path: Path) -> None:
    policy = '[[policy]]\nname = "rollout"\nsecond_factor = "if-enrolled"\nuntil = 2025-12-31\n'
    config = configured(tmp_path, more=policy)
    code, checks = found(config, "--offline")
    assert (code, checks[f"{config}:17"]["verdict"]) == (0, "warning")


def test_right_reply_attributes_are_no_fault(tmp_path: Path) -> None:
    config = configured(tmp_path, more='[[policy]]\nname = "staff"\nreply = { Filter-Id = ["a", "b"] }\n')
    assert found(config, "--offline")[0] == 0


def test_a_weak_secret_is_a_warning_that_does_not_show_it(tmp_path: Path) -> None:
    config = configured(tmp_path)
    config.write_text(config.read_text().replace(SECRET, "testing123"))
    done = command(config, "check", "--offline")
    assert done.exit_code == 0
    assert "has 10 octets" in " ".join(done.stdout.split())
    assert "testing123" not in done.stdout
    assert done.stdout.endswith("All is well. Warnings: 1.\n")


def test_the_table_shows_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    done = command(configured(tmp_path, more='cod = "either"\n'), "check", "--offline")
    assert done.exit_code == 78
    assert "Did you mean code?" in done.stdout
    assert done.stdout.endswith("Not ready.\n")


def test_a_missing_master_key_is_a_fault(tmp_path: Path) -> None:
    config = configured(tmp_path)
    (tmp_path / "master.key").unlink()
    code, checks = found(config)
    assert code == 78
    assert checks["master key"]["verdict"] == "fault"
    assert "database" not in checks


def test_a_master_key_that_others_may_read_is_a_fault(tmp_path: Path) -> None:
    config = configured(tmp_path)
    (tmp_path / "master.key").chmod(0o444)
    code, checks = found(config)
    assert (code, checks["master key"]["verdict"]) == (78, "fault")


def test_a_database_without_tables_is_a_fault(tmp_path: Path) -> None:
    config = configured(tmp_path)
    (tmp_path / "radius2fa.db").unlink()
    code, checks = found(config)
    assert (code, checks["database"]["verdict"]) == (78, "fault")
    assert "radius2fa db upgrade" in checks["database"]["message"]


def test_a_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    config = configured(tmp_path)
    text = config.read_text().replace(
        f"sqlite:///{tmp_path}/radius2fa.db", "postgresql://radius2fa@127.0.0.1:1/radius2fa"
    )
    config.write_text(text)
    code, checks = found(config)
    assert (code, checks["database"]["verdict"]) == (69, "unavailable")


def test_a_certificate_authority_without_a_certificate_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    config = configured(tmp_path)
    config.write_text(config.read_text().replace("[[client]]", 'ca_file = "ca.pem"\n[[client]]'))
    code, checks = found(config)
    assert (code, checks["directory"]["verdict"]) == (78, "fault")


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 0),
        ([Verdict.OK, Verdict.WARNING], 0),
        ([Verdict.UNAVAILABLE, Verdict.OK], 69),
        ([Verdict.UNAVAILABLE, Verdict.FAULT], 78),
        ([Verdict.FAULT], 78),
    ],
)
def test_what_has_to_be_changed_counts_before_what_is_unavailable(verdicts: list[Verdict], code: int) -> None:
    assert exit_code(verdicts) == code


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_that_is_free_is_well(host: str) -> None:
    assert address(Listen(host=host, port=0)).verdict is Verdict.OK


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_who_has_an_address_is_told(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as taken:
        taken.bind((host, 0))
        port = taken.getsockname()[1]
        assert "pytest" in holder(port)
        assert address(Listen(host=host, port=port)).verdict is Verdict.FAULT


PROC_NET_UDP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  231: 00000000:0714 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0
"""


def proc_with(folder: Path, inode: int, words: bytes) -> Path:
    (folder / "net").mkdir()
    (folder / "net" / "udp").write_text(PROC_NET_UDP)
    (folder / "812" / "fd").mkdir(parents=True)
    (folder / "812" / "fd" / "0").symlink_to("/dev/null")
    (folder / "812" / "fd" / "3").symlink_to(f"socket:[{inode}]")
    (folder / "812" / "fd" / "4").touch()
    (folder / "812" / "cmdline").write_bytes(words)
    return folder


def test_the_holder_of_a_port_is_found_by_its_socket(tmp_path: Path) -> None:
    proc = proc_with(tmp_path, 4711, b"/usr/sbin/freeradius\0-f\0")
    assert holder(1812, proc) == "/usr/sbin/freeradius -f (process 812)"
    assert holder(1813, proc) == ""


def test_of_several_who_have_a_port_it_is_our_server(tmp_path: Path) -> None:
    """Where systemd holds it, it has it too, and comes first."""
    proc = proc_with(tmp_path, 4711, b"/opt/radius2fa/bin/python\0/opt/radius2fa/bin/radius2fa\0serve\0")
    (proc / "1" / "fd").mkdir(parents=True)
    (proc / "1" / "fd" / "3").symlink_to("socket:[4711]")
    (proc / "1" / "cmdline").write_bytes(b"/sbin/init\0")
    assert holder(1812, proc) == "/opt/radius2fa/bin/python /opt/radius2fa/bin/radius2fa serve (process 812)"
    (proc / "812" / "fd" / "3").unlink()
    assert holder(1812, proc) == "/sbin/init (process 1)"


def test_the_holder_of_a_port_may_be_hidden(tmp_path: Path) -> None:
    assert holder(1812, proc_with(tmp_path, 4712, b"")) == ""


@pytest.mark.parametrize(
    ("program", "verdict", "message"),
    [
        ("/usr/sbin/freeradius -f (process 812)", Verdict.FAULT, "taken by /usr/sbin/freeradius -f (process 812)"),
        ("/usr/bin/radius2fa serve (process 9)", Verdict.OK, "in use by /usr/bin/radius2fa serve (process 9)"),
        ("/sbin/init (process 1)", Verdict.WARNING, "held by /sbin/init (process 1)"),
        ("", Verdict.WARNING, "taken"),
    ],
)
def test_a_port_in_use_is_well_if_radius2fa_has_it(program: str, verdict: Verdict, message: str) -> None:
    check = unbound("listen", OSError(errno.EADDRINUSE, "in use"), lambda: program)
    assert (check.verdict, check.message) == (verdict, message)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EADDRNOTAVAIL, "this machine does not have the address"),
        (errno.EACCES, "ports below 1024 need a privilege"),
        (errno.EAFNOSUPPORT, "this machine has no IPv6"),
        (errno.ENOBUFS, "no room"),
    ],
)
def test_why_an_address_cannot_be_listened_on_is_told(number: int, message: str) -> None:
    check = unbound("listen", OSError(number, "no room"), str)
    assert (check.verdict, check.message) == (Verdict.FAULT, message)


def test_an_address_of_another_machine_is_a_fault() -> None:
    check = address(Listen(host="192.0.2.1", port=0))
    assert (check.verdict, check.message) == (Verdict.FAULT, "this machine does not have the address")


def test_a_clock_before_this_program_is_a_fault() -> None:
    assert clock(0, synchronised=True) == Check(
        "clock",
        Verdict.FAULT,
        "is not set: 1970-01-01 00:00:00 UTC",
        "Set it, and install chrony or systemd-timesyncd.",
    )


@pytest.mark.parametrize(
    ("synchronised", "verdict", "message"),
    [
        (True, Verdict.OK, "2026-06-21 00:00:00 UTC, synchronised"),
        (False, Verdict.WARNING, "2026-06-21 00:00:00 UTC, not synchronised with a time server"),
        (None, Verdict.OK, "2026-06-21 00:00:00 UTC"),
    ],
)
def test_a_clock_that_nobody_synchronises_is_a_warning(
    synchronised: bool | None,  # noqa: FBT001 - a case
    verdict: Verdict,
    message: str,
) -> None:
    check = clock(NOON, synchronised=synchronised)
    assert (check.verdict, check.message) == (verdict, message)


def refused(_: object) -> int:
    raise OSError


@pytest.mark.parametrize(("state", "synchronised"), [(0, True), (4, True), (5, False), (-1, None)])
def test_the_kernel_tells_whether_the_clock_is_synchronised(state: int, synchronised: bool | None) -> None:  # noqa: FBT001 - a case
    assert kernel_synchronised(lambda _: state) is synchronised


def test_a_kernel_that_does_not_tell_is_no_fault() -> None:
    assert kernel_synchronised(refused) is None


def test_this_kernel_is_asked() -> None:
    assert kernel_synchronised() in {True, False, None}


def test_json_is_ascii_whatever_the_directory_says(tmp_path: Path) -> None:
    """A terminal takes U+009B for the begin of a command, and U+202E turns the direction of writing."""
    with FaultyLdap() as server:
        server.on_search = entries(("uid=\u009b2J\u202e,dc=example,dc=org", {"entryUUID": [b"one"], "uid": [b"alice"]}))
        done = command(configured(tmp_path, url=server.uri), "check", "--json")
    assert "\\u009b2J\\u202e" in done.stdout
    assert done.stdout.isascii()


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_name_that_is_no_utf_8_is_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = command(configured(tmp_path), "check", "--user", "al\udcffce", *options)
    assert done.exit_code == 64
    assert "--user: the name is not UTF-8" in done.stderr
