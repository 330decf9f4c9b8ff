"""What happens in the guest: `greenroom run` from a camera into a loopback device, and programs that read it.

It needs the standard library alone, because everything starts slowly in an emulated machine, and judges nothing: what
the programs saw goes to /run/out, where the host's test looks at it.

Usage: guest.py PROJECT BACKGROUND
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROJECT, BACKGROUND = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(PROJECT / "tests" / "e2e"))
from browser import chromium  # noqa: E402

OUT = Path("/run/out")
CAMERA, LOOPBACK = "/dev/video0", "/dev/video10"
QUERYCAP = 0x80685600
CAPTURE, OUTPUT = 1, 2
PATIENCE = 400.0
"""Seconds for anything that takes 5 to 15 in the guest of an idle host; beside a training the network took over 180."""

RAW = ("--effect", "none", "--show-room")
COVERED = ("--effect", "video", "--video", BACKGROUND)
STARTED = time.monotonic()
record: dict[str, Any] = {}


def main() -> None:
    """Every act, in order; what one finds is written at once, so that an early end leaves what came before."""
    note(state_at_boot=state())
    the_whole_product()
    # From here on without a network, which takes an emulated processor a second for each frame and leaves nothing for
    # the browser. These are the files of the guest's own layer; the host keeps its own.
    shutil.rmtree(PROJECT / "models" / "weights")
    first_start()
    page_and_kill()
    another_size_and_a_reader_that_stays()
    note(seconds=round(time.monotonic() - STARTED, 1))


def the_whole_product() -> None:
    """The clip's person, cut out by the network; before it is loaded there is only the colour."""
    look = ("--effect", "colour", "--colour", "#2060c0", "--backend", "onnxruntime", "--threads", "2")
    greenroom = start("640x360", *look, source="clip")
    wait_for("the network", lambda: shows_more_than_a_colour("clip", 640, 360))
    # A picture takes an emulated processor 1 to 15 s, by the kind of host; between them come cards.
    reader = reading(OUT / "clip.i420", 10_000)
    wait_for("four pictures", lambda: pictures_in(OUT / "clip.i420", 640, 360) >= 4)
    note(clip=stop(reader, signal.SIGTERM))
    note(clip_exit=stop(greenroom, signal.SIGTERM))


def shows_more_than_a_colour(name: str, width: int, height: int) -> bool:
    """Whether the next frame differs in its lower middle, where the person is, from its corner; cards do not."""
    read(name, 2)
    luma = (OUT / f"{name}.i420").read_bytes()[-width * height * 3 // 2 :]
    corner, middle = luma[0], luma[width * (height * 9 // 10) + width // 2]
    return abs(corner - middle) > 10


def pictures_in(path: Path, width: int, height: int) -> int:
    """How many different frames of a file show more than a colour, as `shows_more_than_a_colour` does."""
    size, row, rows = width * height * 3 // 2, width * (height * 9 // 10), set()
    with path.open("rb") as file:
        for number in range(size_of(path) // size):
            file.seek(number * size)
            corner = file.read(1)[0]
            file.seek(number * size + row)
            line = file.read(width)
            if abs(line[width // 2] - corner) > 10:
                rows.add(line)
    return len(rows)


def first_start() -> None:
    """The camera's picture as it is, which tells that frames go all the way; ended politely."""
    greenroom = start("640x480", *RAW)
    note(raw=read("raw", 20), state_on_air=state())
    note(first_exit=stop(greenroom, signal.SIGTERM), state_after_stop=state())


def page_and_kill() -> None:
    """The effect, read by v4l2-ctl and by a page; ended by force."""
    greenroom = start("640x480", *COVERED)
    note(covered=read("covered", 20))
    env = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8"}
    try:
        seen = chromium(env, frames=4, every=2, size=(640, 480), patience=PATIENCE)
        for n, (_, _, rgba) in enumerate(seen.frames):
            (OUT / f"page{n}.rgba").write_bytes(rgba)
        note(page={"sizes": [frame[:2] for frame in seen.frames], "facts": seen.facts})
    except AssertionError as error:
        note(page={"error": str(error)})
    note(second_exit=stop(greenroom, signal.SIGKILL), state_after_kill=state())


def another_size_and_a_reader_that_stays() -> None:
    """Half the size after the kill; then a reader stays while Greenroom ends and comes back with the first size."""
    greenroom = start("320x240", *COVERED)
    note(smaller=read("smaller", 20))
    stream = OUT / "staying.i420"
    reader = reading(stream, 100_000)
    wait_for("the reader's first frames", lambda: size_of(stream) > 0)
    note(third_exit=stop(greenroom, signal.SIGTERM))
    before = size_of(stream)
    greenroom = start("640x480", *COVERED, writer_was_there=True)
    wait_for("more frames", lambda: size_of(stream) > before + 8 * 320 * 240 * 3 // 2)
    note(staying={"before": before, "after": size_of(stream), "reader_runs": reader.poll() is None})
    stop(reader, signal.SIGTERM)
    note(last_exit=stop(greenroom, signal.SIGTERM), state_at_end=state())


def start(
    size: str, *effect: str, source: str = f"camera:{CAMERA}", writer_was_there: bool = False
) -> subprocess.Popen[bytes]:
    """Start `greenroom run` and wait until it writes to the device."""
    command = [f"{PROJECT}/.venv/bin/python", "-m", "app", "run", "--defaults", "--source", source]
    command += ["--sink", f"v4l2:{LOOPBACK}", "--size", size, *effect]
    with (OUT / "greenroom.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    if writer_was_there:  # a reader that stays keeps the device's announcement as it was
        return process
    wait_for("Greenroom on air", lambda: state() == "capture" or process.poll() is not None)
    if process.poll() is not None:
        raise ChildProcessError(f"greenroom ended with {process.returncode}: see its log")
    return process


def stop(process: subprocess.Popen[bytes], number: int) -> int:
    """End a program; returns its exit status."""
    process.send_signal(number)
    return process.wait(PATIENCE)


def read(name: str, count: int) -> dict[str, Any]:
    """Let v4l2-ctl read frames, into a file; returns their format."""
    path = OUT / f"{name}.i420"
    reader = reading(path, count)
    reader.wait(PATIENCE)
    shown = subprocess.run(["v4l2-ctl", "-d", LOOPBACK, "--get-fmt-video"], capture_output=True, text=True, check=False)
    return {"exit": reader.returncode, "bytes": size_of(path), "format": shown.stdout}


def reading(path: Path, count: int) -> subprocess.Popen[bytes]:
    """A running v4l2-ctl that writes frames into a file."""
    command = ["v4l2-ctl", "-d", LOOPBACK, "--stream-mmap", f"--stream-count={count}", f"--stream-to={path}"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def state() -> str:
    """What the device offers now: "output", "capture", both or nothing."""
    handle = os.open(LOOPBACK, os.O_RDWR | os.O_NONBLOCK)
    try:
        answer = bytearray(104)
        fcntl.ioctl(handle, QUERYCAP, answer)
    finally:
        os.close(handle)
    caps = struct.unpack_from("<I", answer, 88)[0]
    return " ".join(name for bit, name in ((CAPTURE, "capture"), (OUTPUT, "output")) if caps & bit)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def wait_for(what: str, condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.2)


def note(**found: Any) -> None:
    """Write down what was found, and when."""
    for name, value in found.items():
        record[name] = value
        print(f"guest: {time.monotonic() - STARTED:6.1f} s  {name}: {str(value)[:300]}", flush=True)
    (OUT / "record.json").write_text(json.dumps(record))


main()
