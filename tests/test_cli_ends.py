"""How the command line ends when it is stopped, misused, or its output has nowhere to go: nothing is lost or hidden."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_cli import QUICK, ROOT, environment, frames_of

from app.__main__ import main
from app.publish.file import FileSink
from app.settings import Settings
from assets import asset

CLIP = str(asset("clips/sample.mp4"))
SLOW = ["--backend", "onnxruntime", "--model", "hd", "--size", "1280x720", "--defaults", "--threads", "1"]
"""The clip of a few hundred frames then takes longer than a test waits before it stops the conversion."""


def heard() -> None:
    """Let the process hear what whoever runs the tests may ignore, as nohup and jobs in the background do."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "app", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=environment(tmp_path), text=True, preexec_fn=heard, **pipes)


def until_written(folder: Path) -> None:
    """Wait until a conversion has written something beside its file."""
    for _ in range(300):
        if any(path.stat().st_size > 4096 for path in folder.glob(".*.partial.*")):
            return
        time.sleep(0.1)
    raise AssertionError("the conversion did not begin")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_conversion_that_is_stopped_keeps_the_older_file_and_what_there_is(
    tmp_path: Path, number: signal.Signals
) -> None:
    out, copy = tmp_path / "out.mp4", tmp_path / "talk.mp4"
    out.write_bytes(b"older")
    copy.write_bytes(Path(CLIP).read_bytes())  # the clip itself, standing in for a camera, replaces nothing anyway
    process = start(tmp_path, "run", *SLOW, "--source", str(copy), "--sink", str(out))
    until_written(tmp_path)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert "Finishing" in errors and "Traceback" not in errors
    assert out.read_bytes() == b"older"
    assert len(frames_of(tmp_path / "out-2.mp4")) > 0
    assert not list(tmp_path.glob(".*.partial.*"))


def test_ctrl_c_at_once_shows_no_traceback(tmp_path: Path) -> None:
    for wait in (0.05, 0.12):
        process = start(tmp_path, "models")
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        # Before Python has begun to read our code it dies of the signal, as any program does.
        assert process.returncode in (130, -signal.SIGINT, 0) and "app/" not in errors, errors


def test_two_conversions_to_one_name_do_not_meet(tmp_path: Path) -> None:
    one, two = (FileSink(tmp_path / "same.mp4", 64, 48, 30.0, realtime=False) for _ in range(2))
    assert len(list(tmp_path.glob(".*.partial.mp4"))) == 2
    one.close()
    two.close()
    assert not list(tmp_path.iterdir())


def test_one_file_is_no_two_sinks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.mp4"
    arguments = ["run", *QUICK, "--source", CLIP, "--sink", str(out), "--sink", str(tmp_path / "x" / ".." / "a.mp4")]
    assert main(arguments) == 1
    assert "named twice" in capsys.readouterr().err
    assert not out.exists()


def test_what_a_link_names_is_replaced_and_what_is_no_file_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link.mp4").symlink_to(tmp_path / "real.mp4")
    sink = FileSink(tmp_path / "link.mp4", 64, 48, 30.0, realtime=False)
    assert sink.path == tmp_path / "real.mp4"
    sink.close()
    os.mkfifo(tmp_path / "fifo.mp4")
    assert main(["run", *QUICK, "--source", CLIP, "--sink", str(tmp_path / "fifo.mp4")]) == 1
    assert "it is no file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "--size", "abc", "--json"], 2),
        (["run", "--fps", "500", "--json"], 2),
        (["matte", "pattern", "alphas", "--json"], 1),
        (["matte", CLIP, "", "--json"], 1),
        (["matte", CLIP, "alphas", "--device", "nope", "--json"], 1),
        (["run", "--source", "nosuch.mp4", "--sink", "null", "--json"], 1),
    ],
)
def test_errors_are_json_where_that_is_asked_for(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    printed = capsys.readouterr()
    problem = json.loads(printed.out)["problem"]
    assert problem["message"] and problem["message"] in printed.err
    assert ".." not in printed.err.replace("…", "")


@pytest.mark.parametrize("given", [["--frames", "0"], ["--frames", "x"], ["--minutes", "1e308"], ["--minutes", "nan"]])
def test_numbers_that_are_none_are_told_in_plain_words(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["bench", "memory", *given])
    assert stop.value.code == 2
    errors = capsys.readouterr().err
    assert "give" in errors and "_positive" not in errors


def test_consent_is_not_given_by_an_abbreviation(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--sh", "--effect", "none"])
    assert "--sh" in capsys.readouterr().err


def test_a_damaged_picture_in_a_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.full((90, 160, 3), 99, np.uint8))
    (folder / "b.png").write_text("no picture")
    assert main(["matte", str(folder), str(tmp_path / "alphas"), "--backend", "onnxruntime", "--json"]) == 1
    printed = capsys.readouterr()
    facts = json.loads(printed.out)
    assert facts["frames"] == 1 and len(facts["left_out"]) == 1 and "b.png" in facts["left_out"][0]
    assert "left out" in printed.err


def test_an_older_alpha_stays_when_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), np.full((90, 160, 3), 99, np.uint8))
    arguments = ["matte", str(picture), str(tmp_path / "alphas"), "--backend", "onnxruntime"]
    assert main(arguments) == 0
    (older,) = (tmp_path / "alphas").iterdir()
    content = older.read_bytes()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert main(arguments) == 1
    assert "Make room" in capsys.readouterr().err
    assert older.read_bytes() == content and list((tmp_path / "alphas").iterdir()) == [older]


def test_a_full_disk_loses_no_measurement(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("app.bench.measure", lambda *_, **__: {"machine": {}})
    monkeypatch.setattr("app.bench.text", lambda results: f"figures {results}")
    assert main(["bench", "compose", "--output", "/dev/full"]) == 1
    printed = capsys.readouterr()
    assert "figures" in printed.out and "/dev/full could not be written" in printed.err


@pytest.mark.parametrize("end", ["> /dev/full", "2>&-", "2> /dev/full"])
def test_output_that_goes_nowhere_ends_in_no_traceback(tmp_path: Path, end: str) -> None:
    """A full or closed log ends no call, and what cannot be printed is told in a line."""
    seen = subprocess.run(
        f"{sys.executable} -m app models {end}",
        shell=True,
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert seen.returncode == (1 if end.startswith(">") else 0), seen.stderr
    assert "Traceback" not in seen.stderr and "Exception ignored" not in seen.stderr


def test_letters_that_a_terminal_lacks_are_replaced(tmp_path: Path) -> None:
    seen = subprocess.run(
        [sys.executable, "-m", "app", "models"],
        cwd=ROOT,
        env=environment(tmp_path) | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert seen.returncode == 0, seen.stderr


def test_a_display_that_does_not_answer_is_told_with_a_cure(tmp_path: Path) -> None:
    surroundings = environment(tmp_path) | {"DISPLAY": ":4242", "QT_QPA_PLATFORM": "xcb"}
    seen = subprocess.run(
        [sys.executable, "-m", "app"],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert seen.returncode == 1, seen.stderr
    assert "greenroom run" in seen.stderr


def test_a_pin_names_what_it_holds() -> None:
    from app.selection import pin

    assert str(pin(Settings().replace(device="CUDA", threads=2))) == "device CUDA, threads 2"
    assert str(pin(Settings())) == ""
