"""A Debian system of its own, booted with its systemd, in which packages are installed as operators do it.

It lies over a folder that debootstrap has made, in namespaces of this process, so that it needs no virtual machine
and no container engine, but root. The network of a run has no way out, so every port and address in it is free.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
CLONE_NEWNET = 0x40000000
PREFIX = "portolan-test-"
# The address of the tests themselves, as machines with an address see them.
OUTSIDE = "10.20.0.1"


def leave_the_network() -> None:
    """From here on this process and what it starts have a network of their own: loopback, and a bridge for machines."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "a network of one's own needs root")
    ip("link", "set", "lo", "up")
    ip("link", "add", "machines", "type", "bridge")
    ip("address", "add", f"{OUTSIDE}/24", "dev", "machines")
    ip("link", "set", "machines", "up")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


class Machine:
    """One booted system: with this process's network, or with an address of its own in it."""

    def __init__(
        self, template: pathlib.Path, folder: pathlib.Path, *, name: str = "debian", address: str | None = None
    ) -> None:
        self.name = name
        self.address = address
        self._template = template
        self._folder = folder / name
        for part in ("changes/etc", "work", "root"):
            (self._folder / part).mkdir(parents=True)
        (self._folder / "changes/etc/hosts").write_text(f"127.0.0.1 localhost {name}\n")
        (self._folder / "changes/etc/hostname").write_text(f"{name}\n")
        self._cgroup = cgroups() / f"{PREFIX}{secrets.token_hex(4)}"
        self._process: subprocess.Popen | None = None
        self._first = 0

    def __enter__(self) -> "Machine":
        self._cgroup.mkdir()
        try:
            self._boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _boot(self) -> None:
        self._process = subprocess.Popen(
            # However this process ends, the machine ends with it.
            ["setpriv", "--pdeathsig", "KILL", "--", HERE / "boot.sh", self._template, self._folder, self._cgroup]
            + (["--net"] if self.address else []),
            stdin=subprocess.DEVNULL,
        )
        children = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        deadline = time.monotonic() + 60
        while not self._is_systemd(children):
            assert self._process.poll() is None, "the system did not boot; its first words are above"
            assert time.monotonic() < deadline, "the system did not boot within a minute"
            time.sleep(0.05)
        if self.address:
            self._connect()
        state = self.run("systemctl", "is-system-running", "--wait", check=False)
        assert state == "running", f"the system is {state}: {self.run('systemctl', '--failed', '--no-pager')}"

    def _connect(self) -> None:
        ip("link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", str(self._first))
        ip("link", "set", self.name, "master", "machines", "up")
        for words in (
            ["address", "add", f"{self.address}/24", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
            ["link", "set", "lo", "up"],
        ):
            subprocess.run(["nsenter", "--target", str(self._first), "--net", "ip", *words], check=True)

    def _is_systemd(self, children: pathlib.Path) -> bool:
        try:
            self._first = int(children.read_text().split()[0])
            program = os.readlink(f"/proc/{self._first}/exe")
        except (IndexError, FileNotFoundError):
            return False
        # Its bus is where systemctl speaks to it.
        return program.endswith("/systemd") and (self.path("run/systemd/private")).is_socket()

    def path(self, name: str) -> pathlib.Path:
        """A file inside, as seen from outside."""
        return pathlib.Path(f"/proc/{self._first}/root") / name.lstrip("/")

    def inside(self, *command: str) -> list[str]:
        """The command that runs a command inside, as root."""
        clean = ["env", "-i", "-C", "/root", "HOME=/root", "LC_ALL=C.UTF-8", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "NO_COLOR=1"]
        enter = ["nsenter", "--target", str(self._first), "--mount", "--pid", "--uts", "--ipc", "--cgroup"]
        if self.address:
            enter.append("--net")
        return [*enter, "--root", "--", *clean, "DEBIAN_FRONTEND=noninteractive", *command]

    def run(self, *command: str, stdin: str = "", check: bool = True) -> str:
        """Runs a command inside and returns what it printed."""
        done = subprocess.run(
            self.inside(*command),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout}")
        return done.stdout.strip()

    def take(self, file: pathlib.Path, folder: str = "") -> str:
        """Brings a file or a folder in, to root's home or a folder in it, and returns its name there."""
        target = self.path("root") / folder / file.name
        target.parent.mkdir(exist_ok=True)
        if file.is_dir():
            shutil.copytree(file, target)
        else:
            shutil.copy(file, target)
        return f"/{target.relative_to(self.path('/'))}"

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "--unit", unit, "--output", "cat", "--no-pager")

    def close(self) -> None:
        if self._first:
            # With the first process of the namespace all others end.
            os.kill(self._first, signal.SIGKILL)
        if self._process is not None:
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        remove_cgroup(self._cgroup)
        subprocess.run(["rm", "-rf", self._folder], check=False)


def cgroups() -> pathlib.Path:
    """Where the second version of control groups is mounted."""
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(place)
    raise AssertionError("this machine has no control groups of version 2; mount -t cgroup2 none /sys/fs/cgroup")


def remove_leftovers() -> None:
    """Of runs that were killed, groups without processes are left."""
    for group in cgroups().glob(f"{PREFIX}*"):
        if (group / "cgroup.events").read_text().startswith("populated 0"):
            remove_cgroup(group)


def remove_cgroup(group: pathlib.Path) -> None:
    deadline = time.monotonic() + 10
    while group.exists():
        try:
            for folder, _, _ in os.walk(group, topdown=False):
                os.rmdir(folder)
        except OSError:
            # A process that was killed a moment ago is still counted.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
