"""The units as systemd's own tool judges them. It has to be there: `scripts/bootstrap` installs it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
EXPOSURE = 1.5  # of 10, at most
ANALYZE = "systemd-analyze"


def keys(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"(?m)^(\w+)=(.*)$", unit.read_text()):
        found.setdefault(name, []).append(value)
    return found


def placed(folder: Path) -> list[Path]:
    """Copies of the units that start a program which is here, since that one's place is looked for."""
    copies = []
    for unit in UNITS:
        copies.append(folder / unit.name)
        copies[-1].write_text(unit.read_text().replace("=/opt/radius2fa/bin/radius2fa ", "=/bin/true "))
    return [Path(shutil.copy(SYSTEMD / "radius2fa.socket", folder)), *copies]


def test_there_is_a_unit_for_each_daemon() -> None:
    assert [unit.name for unit in UNITS] == ["radius2fa-portal.service", "radius2fa.service"]


def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    """`verify` looks at other units too, which they come after: what it says of those is not ours."""
    done = subprocess.run([ANALYZE, "verify", *placed(tmp_path)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "radius2fa" in line or str(tmp_path) in line] == []
    assert done.returncode == 0


def test_what_is_wrong_would_be_found(tmp_path: Path) -> None:
    unit = placed(tmp_path)[-1]
    unit.write_text(unit.read_text().replace("WatchdogSec=30", "WatchdogSecs=30\nExecStartPre=nothing"))
    done = subprocess.run([ANALYZE, "verify", unit], capture_output=True, text=True, check=False)
    assert "WatchdogSecs" in done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_little_is_open_to_them(unit: Path) -> None:
    done = subprocess.run(
        [ANALYZE, "security", "--offline=yes", "--no-pager", unit], capture_output=True, text=True, check=True
    )
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert level is not None
    assert float(level[1]) <= EXPOSURE


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_stuck_process_is_ended_and_its_memory_is_not_written(unit: Path) -> None:
    found = keys(unit)
    assert (found["Type"], found["WatchdogSec"], found["LimitCORE"]) == (["notify"], ["30"], ["0"])
    assert found["Restart"] == ["on-failure"]


def test_the_server_may_choose_its_processor() -> None:
    """It does so at the start, and would not start otherwise; the call is one of @resources, which are shut out."""
    filters = keys(SYSTEMD / "radius2fa.service")["SystemCallFilter"]
    group = subprocess.run([ANALYZE, "syscall-filter", "@resources"], capture_output=True, text=True, check=True)
    assert "sched_setaffinity" in group.stdout.split()
    assert filters.index("sched_setaffinity") > filters.index("~@privileged @resources")


def test_the_user_and_the_folders_are_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for name, command in (("radius2fa.sysusers", "systemd-sysusers"), ("radius2fa.tmpfiles", "systemd-tmpfiles")):
        more = ["--create"] if command == "systemd-tmpfiles" else []
        subprocess.run([command, f"--root={tmp_path}", *more, SYSTEMD / name], capture_output=True, check=True)
    (user,) = (tmp_path / "etc" / "passwd").read_text().splitlines()
    name, _, number, _, _, home, shell = user.split(":")
    assert (name, home, shell) == ("radius2fa", "/var/lib/radius2fa", "/usr/sbin/nologin")
    assert 0 < int(number) < 1000
    state, config, log = (tmp_path / name for name in ("var/lib/radius2fa", "etc/radius2fa", "var/log/radius2fa"))
    assert [path.stat().st_mode & 0o777 for path in (state, config, log)] == [0o700, 0o755, 0o700]
    assert {path.stat().st_uid for path in (state, log)} == {int(number)}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_units_make_of_the_folders_what_they_are_made_as(unit: Path) -> None:
    """Or each start would change what tmpfiles.d(5) has made, and each boot change it back."""
    found = keys(unit)
    made = dict(re.findall(r"(?m)^d (\S+) (\d+) ", (SYSTEMD / "radius2fa.tmpfiles").read_text()))
    places = {"Configuration": "/etc", "State": "/var/lib", "Logs": "/var/log"}
    assert {
        f"{place}/{found[f'{kind}Directory'][0]}": found[f"{kind}DirectoryMode"][0] for kind, place in places.items()
    } == made


def test_the_guide_shows_what_logrotate_gets() -> None:
    shown = re.findall(r"(?ms)^```\n(/var/log/.*?)^```$", (SYSTEMD.parent / "docs" / "monitoring.md").read_text())
    text = (SYSTEMD.parent / "packaging" / "radius2fa.logrotate").read_text()
    assert shown == [re.sub(r"(?m)^#.*\n", "", text)]
