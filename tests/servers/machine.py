"""A machine with a systemd of its own: this one's files below a layer that is thrown away, in namespaces of its own.

Nothing that is done in there is seen outside, but what is written to `/out`. The kernel is the same one; its settings
are read-only there. It takes root, by sudo where need be.
"""

import os
import subprocess
from pathlib import Path

LIMIT = 150  # seconds

# Its control groups lie below one of its own, which goes with it: systemd leaves empty ones behind.
_AROUND = r"""
set -e
groups=$1/groups
mkdir --parents "$groups"
mount -t cgroup2 cgroup "$groups"
own=$(mktemp --directory "$groups$(sed -n 's/^0:://p' /proc/self/cgroup)/machine.XXXXXXXX")
trap 'find "$own" -depth -type d -exec rmdir {} ";"' EXIT
timeout --signal=KILL "$2" unshare --mount --pid --net --uts --ipc --fork --kill-child bash -c \
    'echo 0 >"$1/cgroup.procs"; exec unshare --cgroup bash "$2/boot" "$2"' bash "$own" "$1"
"""
_BOOT = r"""
set -e
folder=$1
mount --make-rprivate /
root=$folder/layer
mkdir -p "$root"
mount -t tmpfs layer "$root"
mkdir "$root"/{upper,work,merged}
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/merged"
cd "$root/merged"
mkdir -p out before
mount --bind "$folder" out
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs sysfs sys -o ro
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs dev
mkdir dev/shm dev/pts
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
ln -s null dev/console
mount -t cgroup2 cgroup sys/fs/cgroup
rm -rf etc/systemd/system/*.wants usr/sbin/policy-rc.d
cat >etc/systemd/system/script.service <<UNIT
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash /out/script
StandardOutput=file:/out/told
StandardError=inherit
ExecStopPost=/bin/sh -c 'systemctl --force --force poweroff >/dev/null 2>&1'
UNIT
pivot_root . before
cd /
umount -l before
exec env -i container=other \
    /lib/systemd/systemd --log-target=null --unit=script.service
"""


def run(folder: Path, script: str) -> str:
    """Boot it, run a script for bash as root, and power it off; return what the script wrote.

    `folder` is there as /out. The network is the loopback alone.
    """
    (folder / "script").write_text("ip link set lo up\n" + script)
    (folder / "boot").write_text(_BOOT)
    (folder / "around").write_text(_AROUND)
    command = ["unshare", "--mount", "bash", folder / "around", folder, str(LIMIT)]
    done = subprocess.run(
        command if os.geteuid() == 0 else ["sudo", "-n", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT + 10,
        check=False,
    )
    told = folder / "told"
    assert told.exists(), done.stdout + done.stderr
    return told.read_text()
