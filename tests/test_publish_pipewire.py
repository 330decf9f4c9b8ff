"""What can be said of the PipeWire camera without a daemon: its pods, and its cures. tests/e2e has the rest."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from app.problems import SinkError
from app.publish import libpipewire, pipewire, spa
from app.publish.pipewire import PipeWireSink


def test_pods_are_as_pipewire_writes_them() -> None:
    assert spa.integer(-2) == bytes.fromhex("04000000 04000000 feffffff 00000000")
    assert spa.rectangle(1280, 720) == bytes.fromhex("08000000 0a000000 00050000 d0020000")
    assert spa.fraction(30000, 1001) == bytes.fromhex("08000000 0b000000 30750000 e9030000")


def test_the_format_is_an_object_of_whole_pods() -> None:
    pod = spa.i420_format(640, 480, (30, 1))
    size, kind, of, param = struct.unpack_from("<IIII", pod)
    assert (size, kind, of, param) == (len(pod) - 8, 15, 0x40003, 3)
    properties, rest = {}, pod[16:]
    while rest:
        key, _, length, value_kind = struct.unpack_from("<IIII", rest)
        properties[key] = (value_kind, rest[16 : 16 + length])
        rest = rest[16 + (length + 7) // 8 * 8 :]
    assert properties[0x20001] == (3, struct.pack("<I", 2)), "I420"
    assert properties[0x20003] == (10, struct.pack("<II", 640, 480))
    assert properties[0x20004] == (11, struct.pack("<II", 30, 1))
    assert len(pod) % 8 == 0


def test_buffers_hold_a_whole_picture() -> None:
    pod = spa.i420_buffers(640, 480)
    assert spa.integer(640 * 480 * 3 // 2) in pod
    assert spa.integer(640) in pod


def test_names_of_people_are_quoted() -> None:
    assert rb'"node.name": "A \"good\" {camera}"' in pipewire._properties('A "good" {camera}')


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libpipewire, "LIBRARY", "libnothing.so.9")
    libpipewire.load.cache_clear()
    with pytest.raises(SinkError, match="apt install libpipewire"):
        PipeWireSink(64, 48, 30)
    assert "apt install libpipewire" in pipewire.state()


def test_without_a_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("XDG_RUNTIME_DIR", "PIPEWIRE_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    # Unit tests need no library of PipeWire's; where there is none, that is what is told.
    with pytest.raises(SinkError, match=r"systemctl --user restart pipewire|apt install libpipewire-0\.3-0"):
        PipeWireSink(64, 48, 30)
    assert "does not run" in pipewire.state() or "library is missing" in pipewire.state()
