"""A desktop of its own, without a display: message bus, PipeWire, WirePlumber and the portal, all in one folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds to wait for anything: what takes 0.3 s here takes many times that on a machine that is busy."""

_SERVICES = ("dbus", "pipewire", "wireplumber")
_PROGRAMS = ("dbus-daemon", "pipewire", "wireplumber", "pw-dump", "gdbus", "gst-launch-1.0")

# The portal offers cameras only where some desktop says that it can ask the user; with the permission granted
# beforehand it never asks, so the service that is named here need not exist.
_PORTAL = """[portal]
DBusName=org.freedesktop.impl.portal.desktop.greenroomtest
Interfaces=org.freedesktop.impl.portal.Access;org.freedesktop.impl.portal.Lockdown;
UseIn=greenroomtest
"""


def wait_for(what: str, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What a condition returns once it is true.

    Raises:
        TimeoutError: it was not within so many seconds.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)
    return value


class Desktop:
    """Everything that a browser's camera needs, as on a user's desktop; see the module.

    Attributes:
        env: the environment for programs of this desktop.
    """

    def __init__(self) -> None:
        # Sockets must have short paths, which pytest's folders do not have.
        self.folder = Path(tempfile.mkdtemp(prefix="greenroom-"))
        self.folder.chmod(0o700)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._starts = 0
        (self.folder / "greenroomtest.portal").write_text(_PORTAL)
        own = {name: str(self.folder / name) for name in ("home", "config", "state", "data", "cache")}
        for path in own.values():
            Path(path).mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": own["home"],
            "XDG_RUNTIME_DIR": str(self.folder),
            "XDG_CONFIG_HOME": own["config"],
            "XDG_STATE_HOME": own["state"],
            "XDG_DATA_HOME": own["data"],
            "XDG_CACHE_HOME": own["cache"],
            "XDG_CURRENT_DESKTOP": "greenroomtest",
            "XDG_DESKTOP_PORTAL_DIR": str(self.folder),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.folder}/bus",
        }

    def __enter__(self) -> Desktop:
        if missing := [program for program in _PROGRAMS if not shutil.which(program)]:
            raise FileNotFoundError(f"{', '.join(missing)}: run `make e2e`, which installs what tests/e2e needs")
        try:
            address = self.env["DBUS_SESSION_BUS_ADDRESS"]
            self.start("dbus", "dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}")
            wait_for("the message bus", (self.folder / "bus").exists)
            self.start_pipewire()
            self._grant_cameras()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_pipewire(self) -> None:
        """Start PipeWire and its session manager, and wait until they know each other."""
        self.start("pipewire", "pipewire")
        # Its socket is no sign: one that was killed leaves it behind.
        wait_for("PipeWire", lambda: self.objects("Core"))
        self.start("wireplumber", "wireplumber")
        wait_for("WirePlumber", lambda: any("WirePlumber" in str(o.get("info")) for o in self.objects("Client")))

    def stop_pipewire(self) -> None:
        """As if both had crashed."""
        self.stop("wireplumber", signal.SIGKILL)
        self.stop("pipewire", signal.SIGKILL)

    def greenroom(self, *arguments: str, project: Path = ROOT) -> str:
        """Start `greenroom run` and wait until its camera is there; returns the name it has here."""
        self._starts += 1
        name = f"greenroom{self._starts}"
        run = [sys.executable, "-m", "app", "run", "--defaults", "--sink", "pipewire", *arguments]
        process = self.start(name, *run, folder=project)
        wait_for("the camera", lambda: self.camera() or process.poll() is not None)
        assert process.poll() is None, self.log(name)
        return name

    def camera(self, label: str = "Greenroom") -> int | None:
        """The number of the camera of this name in PipeWire's graph, None while there is none."""
        for node in self.objects("Node"):
            properties = node["info"]["props"]
            if properties.get("media.class") == "Video/Source" and properties.get("node.description") == label:
                return int(node["id"])
        return None

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """PipeWire's objects of a kind; none while it does not answer."""
        dump = subprocess.run(["pw-dump", "-N"], env=self.env, capture_output=True, check=False, timeout=PATIENCE)
        try:
            found = json.loads(dump.stdout)
        except ValueError:  # it does not run yet
            return []
        return [o for o in found if o["type"] == f"PipeWire:Interface:{kind}" and o.get("info")]

    def start(self, name: str, *command: str, folder: Path = ROOT) -> subprocess.Popen[bytes]:
        """Start a program in its own process group; its output goes to `log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self.env,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running[name] = process
        return process

    def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        """End a program and what it started; returns its exit status."""
        process = self._running.pop(name)
        end(process, number)
        return process.returncode

    def stop_programs(self) -> None:
        """End what still runs but the desktop itself, and show what it wrote: its test has failed."""
        for name in [name for name in self._running if name not in _SERVICES]:
            print(f"{name}, ended by {self.stop(name)}:\n{self.log(name)}")

    def log(self, name: str) -> str:
        """What a program has written so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _grant_cameras(self) -> None:
        store = "org.freedesktop.impl.portal.PermissionStore"
        path = "/org/freedesktop/impl/portal/PermissionStore"
        grant = ["--method", f"{store}.SetPermission", "devices", "true", "camera", "", "['yes']"]
        self._gdbus("call", "--session", "--dest", store, "--object-path", path, *grant)
        desktop = ["--dest", "org.freedesktop.portal.Desktop", "--object-path", "/org/freedesktop/portal/desktop"]
        wait_for("the portal", lambda: "portal.Camera" in self._gdbus("introspect", "--session", *desktop))

    def _gdbus(self, *arguments: str) -> str:
        call = ["gdbus", *arguments]
        done = subprocess.run(call, env=self.env, capture_output=True, check=False, timeout=PATIENCE, text=True)
        return done.stdout


def without_network(folder: Path) -> Path:
    """This project with the files of its networks missing, so that the effect covers the whole picture for certain.

    What a network makes of an artificial wall is chance: some take it for hair.
    """
    for package in ("app", "assets", "backends"):
        (folder / package).symlink_to(ROOT / package)
    shutil.copytree(ROOT / "models", folder / "models", ignore=shutil.ignore_patterns("weights", "__pycache__"))
    return folder


def end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    """End a process of ours with its group, by force if it does not go."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
