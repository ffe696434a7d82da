"""The Debian package from the cradle to the grave: built, installed, started by a real systemd, upgraded, purged."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from radius2fa import __version__
from tests.servers import machine

ROOT = Path(__file__).parents[2]
WHEELS = ROOT / ".venv" / "wheels"  # of requirements.lock for Debian's Python; `scripts/bootstrap` has fetched them

LIFE = r"""
step() { printf '\n== %s\n' "$1"; }
listing() {
    find /etc /opt /usr /var -xdev \( -path /var/lib/dpkg -o -path /var/cache \) -prune -o -print
}
answered() {
    secret=$(sed -n 's/^secret = "\(.*\)"/\1/p' /etc/radius2fa/radius2fa.toml | head -n 1)
    echo 'Message-Authenticator = 0x00' | radclient -r 1 -t 5 127.0.0.1:1812 status "$secret"
}
main_pid() { systemctl show --property MainPID --value radius2fa; }
systemd-sysusers; systemd-tmpfiles --create >/dev/null 2>&1
listing >/out/before

step refused
mkdir -p /opt/radius2fa; touch /opt/radius2fa/pyvenv.cfg
dpkg -i /out/*.deb 2>&1; echo "exit $?"
rm -r /opt/radius2fa; dpkg --purge radius2fa 2>&1

step installed
dpkg -i /out/*.deb 2>&1; echo "exit $?"
systemctl is-enabled radius2fa; systemctl is-active radius2fa
stat -c '%U %a' /var/lib/radius2fa /var/log/radius2fa
radius2fa --version
bash -c '. /usr/share/bash-completion/completions/radius2fa; COMP_WORDS=(radius2fa to); COMP_CWORD=1
    _radius2fa_completion radius2fa; echo "completed: ${COMPREPLY[*]}"'

step started
radius2fa init >/dev/null; echo "exit $?"
stat -c '%U %a' /etc/radius2fa/master.key
sed -i '0,/^#\?listen = .*/s//listen = ["127.0.0.1:1812"]/' /etc/radius2fa/radius2fa.toml
sed -i 's|^#\?urls = .*|urls = ["ldap://127.0.0.1:3890"]|; s|^#\?start_tls = .*|start_tls = false|' \
    /etc/radius2fa/radius2fa.toml
printf '%s\n' 'include /etc/ldap/schema/core.schema' 'modulepath /usr/lib/ldap' 'moduleload back_null' \
    'database null' 'suffix "dc=example,dc=org"' >/out/slapd.conf
# A Status-Server is answered while the directory is well.
slapd -d 256 -h ldap://127.0.0.1:3890 -f /out/slapd.conf >/out/slapd 2>&1 &
until (: </dev/tcp/127.0.0.1/3890) 2>/dev/null; do kill -0 $! || break; done
radius2fa check --offline
chown root /etc/radius2fa/master.key
radius2fa check --json | grep -o 'the user radius2fa, who runs the services: .*'
chown radius2fa /etc/radius2fa/master.key
systemctl enable --now radius2fa 2>&1; echo "exit $?"
answered
radius2fa status --running; echo "status $?"
ps -o user= -p "$(main_pid)"
systemctl show --property WatchdogUSec radius2fa
python3 - "$(main_pid)" <<'PYTHON'
import os, sys
print("processors:", len(os.sched_getaffinity(int(sys.argv[1]))))
PYTHON
journalctl --no-pager -o cat -u radius2fa

step held
drop_in=/etc/systemd/system/radius2fa.socket.d
mkdir -p $drop_in
printf '[Socket]\nListenDatagram=\nListenDatagram=127.0.0.1:1812\n' >$drop_in/listen.conf
systemctl daemon-reload
systemctl stop radius2fa
systemctl enable --now radius2fa.socket 2>&1; echo "exit $?"
systemctl is-active radius2fa radius2fa.socket
answered
systemctl is-active radius2fa
systemctl stop radius2fa.socket radius2fa; systemctl disable radius2fa.socket 2>/dev/null
rm -r $drop_in; systemctl daemon-reload; systemctl start radius2fa

step rotated
sed -i 's|^#file = ""|file = "/var/log/radius2fa/radius2fa.log"|' /etc/radius2fa/radius2fa.toml
systemctl restart radius2fa; echo "exit $?"
stat -c '%U %a' /var/log/radius2fa /var/log/radius2fa/radius2fa.log
printf '%s\n' create >/out/logrotate.conf; cat /etc/logrotate.d/radius2fa >>/out/logrotate.conf
logrotate --force /out/logrotate.conf 2>&1; echo "exit $?"
systemctl reload radius2fa
until grep -q reloaded /var/log/radius2fa/radius2fa.log; do systemctl is-active radius2fa >/dev/null || break; done
grep -c "event='ready'" /var/log/radius2fa/radius2fa.log.1
grep -c "event='ready'" /var/log/radius2fa/radius2fa.log
stat -c '%U %a %n' /var/log/radius2fa/*

step upgraded
before=$(main_pid)
dpkg -i /out/*.deb 2>&1; echo "exit $?"
[ "$before" != "$(main_pid)" ] && echo "another process"
answered

step "not taken"
cp /etc/radius2fa/radius2fa.toml /out/kept; echo 'nonsense = ' >>/etc/radius2fa/radius2fa.toml
before=$(main_pid)
dpkg -i /out/*.deb 2>&1; echo "exit $?"
[ "$before" = "$(main_pid)" ] && echo "the same process"
cat /out/kept >/etc/radius2fa/radius2fa.toml
answered

step removed
dpkg --remove radius2fa 2>&1; echo "exit $?"
systemctl is-active radius2fa
ls /etc/radius2fa /var/lib/radius2fa

step purged
dpkg --purge radius2fa 2>&1; echo "exit $?"
getent passwd radius2fa
listing >/out/after
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS), "PIP_CONFIG_FILE": os.devnull}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "COV"))}
    folder = tmp_path_factory.mktemp("package")
    built = subprocess.run(
        [ROOT / "scripts" / "build-deb", folder], env=clean | offline, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.strip())


@pytest.fixture(scope="module")
def life(package: Path) -> dict[str, str]:
    told = machine.run(package.parent, LIFE)
    parts = re.split(r"(?m)^== (.*)\n", told)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def listed(package: Path) -> dict[str, str]:
    """What the package holds: path to mode and owner."""
    told = subprocess.run(["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=5) for line in told.splitlines()]
    return {row[5].partition(" -> ")[0].removeprefix("."): f"{row[0]} {row[1]}" for row in rows}


def test_it_is_named_by_version_and_release(package: Path) -> None:
    field = subprocess.run(
        ["dpkg-deb", "--field", package, "Package", "Version", "Depends"], capture_output=True, text=True, check=True
    ).stdout
    assert re.match(
        rf"Package: radius2fa\nVersion: {re.escape(__version__)}\+\w+\nDepends: python3\.\d+, libc6 ", field
    )


def test_all_of_it_belongs_to_root_and_is_for_root_alone_to_change(package: Path) -> None:
    held = listed(package)
    assert {mode.split()[1] for mode in held.values()} == {"root/root"}
    assert [path for path, mode in held.items() if not mode.startswith("l") and "w" in mode[5] + mode[8]] == []


def test_it_holds_the_program_and_nothing_that_built_it(package: Path) -> None:
    held = listed(package)
    assert {
        "/usr/bin/radius2fa",
        "/opt/radius2fa/bin/radius2fa",
        "/usr/lib/systemd/system/radius2fa.service",
        "/usr/lib/systemd/system/radius2fa-portal.service",
        "/usr/lib/systemd/system/radius2fa.socket",
        "/usr/lib/sysusers.d/radius2fa.conf",
        "/usr/lib/tmpfiles.d/radius2fa.conf",
        "/usr/share/bash-completion/completions/radius2fa",
        "/usr/share/zsh/vendor-completions/_radius2fa",
        "/usr/share/fish/vendor_completions.d/radius2fa.fish",
        "/usr/share/doc/radius2fa/copyright",
        "/usr/share/doc/radius2fa/monitoring/radius2fa.rules.yml",
        "/usr/share/doc/radius2fa/monitoring/grafana.json",
        "/etc/logrotate.d/radius2fa",
    } <= set(held)
    libraries = {match[1] for path in held if (match := re.search(r"/site-packages/([^/]+)/", path))}
    assert {"radius2fa", "twisted", "sqlalchemy"} <= libraries
    assert libraries & {"pip", "setuptools", "hatchling", "editables"} == set()
    commands = {path for path in held if path.startswith("/opt/radius2fa/bin/")} - {"/opt/radius2fa/bin/"}
    assert {Path(path).name.rstrip("0123456789.") for path in commands} == {"python", "radius2fa"}


def test_an_environment_made_by_hand_is_not_written_over(life: dict[str, str]) -> None:
    assert "/opt/radius2fa was made by hand" in life["refused"]
    assert "exit 1\n" in life["refused"]


def test_it_installs_and_starts_nothing_by_itself(life: dict[str, str]) -> None:
    told = life["installed"]
    assert "exit 0\ndisabled\ninactive\nradius2fa 700\nradius2fa 700\n" in told
    assert f"radius2fa {__version__}\n" in told
    assert "radius2fa init " in told
    assert "completed: token\n" in told


def test_systemd_starts_it_and_it_answers(life: dict[str, str]) -> None:
    told = life["started"]
    assert re.match(r"exit 0\nradius2fa 400\n", told)
    assert "All is well." in told
    assert "Received Access-Accept" in told
    assert re.search(r"^radius2fa$", told, re.MULTILINE), "it runs as root"
    assert "WatchdogUSec=30s\nprocessors: 1\n" in told
    assert "status 0\n" in told
    assert "event='ready'" in told


def test_check_by_root_finds_what_the_services_may_not_read(life: dict[str, str]) -> None:
    (told,) = re.findall(r"the user radius2fa, who runs the services: .*", life["started"])
    assert told == 'the user radius2fa, who runs the services: cannot be read: Permission denied",'


def test_a_request_starts_the_server_where_systemd_holds_the_port(life: dict[str, str]) -> None:
    told = life["held"]
    assert "exit 0\ninactive\nactive\n" in told
    assert "Received Access-Accept" in told
    assert told.endswith("active\n\n")


def test_its_log_is_rotated_by_logrotate_and_goes_on_in_a_new_file(life: dict[str, str]) -> None:
    place = "/var/log/radius2fa/radius2fa.log"
    assert life["rotated"].rstrip("\n") == (
        f"exit 0\nradius2fa 700\nradius2fa 600\nexit 0\n1\n0\nradius2fa 600 {place}\nradius2fa 600 {place}.1"
    )


def test_an_upgrade_starts_it_again(life: dict[str, str]) -> None:
    assert "exit 0\nanother process\n" in life["upgraded"]
    assert "Received Access-Accept" in life["upgraded"]


def test_an_upgrade_lets_run_what_could_not_start_again(life: dict[str, str]) -> None:
    told = life["not taken"]
    assert "still runs as it was before the upgrade" in told
    assert "exit 0\nthe same process\n" in told
    assert "Received Access-Accept" in told


def test_what_is_removed_stops_and_keeps_its_state(life: dict[str, str]) -> None:
    assert "exit 0\ninactive\n" in life["removed"]
    assert {"master.key", "radius2fa.toml", "radius2fa.db"} <= set(life["removed"].split())


def test_a_purge_says_that_the_key_goes_and_leaves_nothing_but_the_locked_user(
    package: Path, life: dict[str, str]
) -> None:
    assert "the master key /etc/radius2fa/master.key is removed" in life["purged"]
    assert re.search(r"(?m)^radius2fa:[^:]*:\d+:\d+:[^:]*:/var/lib/radius2fa:/usr/sbin/nologin$", life["purged"])
    before, after = (set((package.parent / name).read_text().splitlines()) for name in ("before", "after"))
    assert before
    ours = {path for path in after - before if "radius2fa" in path}
    assert ours == set()
