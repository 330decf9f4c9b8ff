"""`greenroom doctor`: checks everything a call needs and names the command that cures what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app import settings as settings_file
from app.capture.devices import list_cameras
from app.problems import DISPLAY_CURE, NO_DISPLAY
from app.publish.factory import list_outputs
from app.reports import device_text
from backends import BACKENDS, child
from models.manifest import ModelError, manifest

OPEN_DISPLAY = [sys.executable, "-c", "from PySide6.QtGui import QGuiApplication; QGuiApplication([])"]
"""Does what the window begins with, and fails as it would."""
DISPLAY_SECONDS = 20.0
"""A second is usual, most of it the loading of Qt; a display that hangs answers never."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: whether it is fine, what was found, and what cures it where it is not."""

    check: str
    fine: bool
    found: str
    cure: str = ""


def examine() -> list[Finding]:
    """All checks, in the order a frame goes."""
    return [*_settings(), *_cameras(), *_networks(), *_backends(), *_outputs(), *_window()]


def text(findings: list[Finding]) -> str:
    """The findings for people."""
    lines = []
    for finding in findings:
        lines.append(f"{'ok  ' if finding.fine else 'CURE'}  {finding.check}: {finding.found}")
        if finding.cure:
            lines.append(f"      → {finding.cure}")
    return "\n".join(lines)


def _settings() -> Iterator[Finding]:
    path = settings_file.settings_path()
    _, problems = settings_file.load(path)
    found = " ".join(p.message for p in problems) or str(path)
    yield Finding("settings", not problems, found, " ".join(dict.fromkeys(p.cure for p in problems)))


def _cameras() -> Iterator[Finding]:
    cameras = list_cameras()
    if not cameras:
        yield Finding("camera", False, "none", "Plug one in; until then the source `clip` stands in.")
    for camera in cameras:
        readable = not camera.id.startswith("/dev/") or os.access(camera.id, os.R_OK | os.W_OK)
        cure = "" if readable else f"sudo usermod -aG video {os.environ.get('USER', '$USER')}, then log in again"
        yield Finding("camera", readable, f"{camera.name} ({camera.id})", cure)


def _networks() -> Iterator[Finding]:
    for model in manifest().values():
        try:
            for file in model.files:
                file.verify()
            yield Finding("network", True, f"{model.name}, verified")
        except ModelError as error:
            yield Finding("network", False, str(error), "Reinstall Greenroom.")


def _backends() -> Iterator[Finding]:
    for name, title in BACKENDS.items():
        availability = child.probe(name)
        devices = ", ".join(device_text(device) for device in availability.devices)
        problem = availability.problem
        yield Finding("backend", not problem, f"{title} {availability.version}: {problem or devices}")
        for missing in availability.missing:
            yield Finding("backend", False, f"{title}: {missing}")


def _outputs() -> Iterator[Finding]:
    outputs = list_outputs()
    usable = any(state.startswith("ready") for state in outputs.values())
    for name, state in outputs.items():
        fine = state.startswith("ready")
        # One way to be seen is enough; the others are only mentioned.
        yield Finding("virtual camera", fine or usable, f"{name}: {state}")
    if not usable and sys.platform == "linux":
        from app.publish.v4l2 import how_to_load  # Linux's alone

        yield Finding("virtual camera", False, "no way to be seen in a call", how_to_load())
        yield from _secure_boot()
    elif not usable:
        yield Finding("virtual camera", False, "none", "Install OBS Studio once: its virtual camera is used.")
    if sys.platform == "linux" and platform.machine() == "x86_64":
        yield from _exclusive_caps()


def _secure_boot() -> Iterator[Finding]:
    states = list(Path("/sys/firmware/efi/efivars").glob("SecureBoot-*")) if Path("/sys/firmware/efi").exists() else []
    if any(path.read_bytes()[-1:] == b"\x01" for path in states):
        yield Finding("secure boot", False, "on", "sudo mokutil --import /var/lib/dkms/mok.pub, then restart and enrol")


def _exclusive_caps() -> Iterator[Finding]:
    """Chromium lists a loopback device only with exclusive_caps=1."""
    from app.publish.v4l2 import LOAD

    try:
        values = Path("/sys/module/v4l2loopback/parameters/exclusive_caps").read_text(encoding="utf-8")
    except OSError:
        return
    fine = values.strip().startswith(("Y", "1"))
    cure = "" if fine else f"sudo modprobe -r v4l2loopback && {LOAD}"
    yield Finding("virtual camera", fine, f"v4l2loopback's exclusive_caps is {'on' if fine else 'off'}", cure)


def _window() -> Iterator[Finding]:
    home = next(path for path in (Path.home(), *Path.home().parents) if path.exists())  # a service's may be missing
    free = shutil.disk_usage(home).free
    yield Finding("disk", free > 1 << 30, f"{free >> 30} GiB free", "" if free > 1 << 30 else "Make room.")
    if sys.platform == "linux":
        yield _display(os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or "")


def _display(name: str) -> Finding:
    """Whether Qt can open a window there, as it finds itself: in a child, for where it cannot it ends its process."""
    if not name:
        return Finding("display", True, "none: the window needs one, `greenroom run` does not")
    try:
        fine = subprocess.run(OPEN_DISPLAY, capture_output=True, timeout=DISPLAY_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        fine = False
    return Finding("display", True, name) if fine else Finding("display", False, f"{name}: {NO_DISPLAY}", DISPLAY_CURE)
