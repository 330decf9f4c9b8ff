"""Programs that show a camera, as other people's: Chromium with a page of a meeting, and GStreamer."""

from __future__ import annotations

import http.server
import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import cv2
import numpy as np
from desktop import PATIENCE, end
from numpy.typing import NDArray

PAGE = Path(__file__).with_name("page.html")


@dataclass
class Seen:
    """What a page has seen: its frames, uint8 BGR (H, W, 3), and what the browser says of the camera."""

    frames: list[NDArray[np.uint8]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[Any] = field(default_factory=list)


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, seen: Seen, done: threading.Event, *arguments: Any) -> None:
        self._seen, self._done = seen, done
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._answer(200 if self.path.startswith("/?") else 404, PAGE.read_bytes())

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if address.path == "/frame":
            facts = parse_qs(address.query)
            rgba = np.frombuffer(body, np.uint8).reshape(int(facts["height"][0]), int(facts["width"][0]), 4)
            self._seen.frames.append(np.ascontiguousarray(rgba[..., 2::-1]))
        elif address.path == "/note":
            self._seen.notes.append(json.loads(body))
        else:
            self._seen.facts = json.loads(body)
            self._done.set()
        self._answer(200, b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def chromium(
    env: Mapping[str, str],
    *options: str,
    frames: int,
    size: tuple[int, int],
    every: int = 3,
    label: str = "Greenroom",
    patience: float = PATIENCE,
) -> Seen:
    """Show the camera of a name in a page, and return what the page sees. The browser then dies, as browsers do.

    Args:
        env: the environment of the browser.
        options: more of its command line.
        frames: how many frames to return; every so many frames one is.
        size: width and height that the page asks for.
        patience: seconds until it is given up.

    Raises:
        AssertionError: the page met an error, or gave no answer.
    """
    seen, done = Seen(), threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, seen, done))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    query = {"label": label, "frames": frames, "every": every, "width": size[0], "height": size[1]}
    # Only pages of this machine may have a camera without https.
    url = f"http://localhost:{server.server_port}/?{urlencode(query)}"
    with tempfile.TemporaryDirectory(prefix="greenroom-browser-", ignore_cleanup_errors=True) as profile:
        log = Path(profile) / "log"
        with log.open("wb") as output:
            browser = subprocess.Popen(
                [*_CHROMIUM, f"--user-data-dir={profile}", *options, url],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            answered = done.wait(patience)
        finally:
            end(browser, 9)
            server.shutdown()
            server.server_close()
        assert answered, f"no answer of the page after {len(seen.frames)} frames; {seen.notes[-1:]}\n{_tail(log)}"
    assert "error" not in seen.facts, f"{seen.facts['error']}; {seen.notes[-1:]}"
    return seen


_CHROMIUM = [
    "chromium-headless-shell",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-ui-for-media-stream",  # says yes to "may this page use the camera?"
    "--autoplay-policy=no-user-gesture-required",
    "--enable-logging=stderr",
]


class GStreamer:
    """Reads frames of a PipeWire camera as long as it is open.

    Args:
        env: the environment of the desktop.
        camera: its number in PipeWire's graph.
        size: width and height of its pictures.
    """

    def __init__(self, env: Mapping[str, str], camera: int, size: tuple[int, int]) -> None:
        self._size = size
        width, height = size
        # No videoconvert: the camera itself must deliver this.
        caps = f"video/x-raw,format=I420,width={width},height={height}"
        # No always-copy, no queue: what waits here is only what the test has not read.
        pipeline = f"pipewiresrc path={camera} ! {caps} ! fdsink fd=1"
        self._process = subprocess.Popen(
            ["gst-launch-1.0", "-q", *pipeline.split()],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._frames: queue.Queue[NDArray[np.uint8]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> GStreamer:
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process, 9)

    def frames(self, count: int) -> list[NDArray[np.uint8]]:
        """The next frames from now on, uint8 BGR (H, W, 3).

        Raises:
            AssertionError: they did not come.
        """
        while not self._frames.empty():
            self._frames.get()
        found: list[NDArray[np.uint8]] = []
        while len(found) < count:
            try:
                found.append(self._frames.get(timeout=PATIENCE))
            except queue.Empty:
                end(self._process, 9)
                assert self._process.stderr is not None
                errors = self._process.stderr.read().decode(errors="replace")
                raise AssertionError(f"GStreamer got {len(found)} of {count} frames\n{errors}") from None
        return [cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420) for i420 in found]

    def _read(self) -> None:
        width, height = self._size
        assert self._process.stdout is not None
        while len(data := self._process.stdout.read(width * height * 3 // 2)) == width * height * 3 // 2:
            self._frames.put(np.frombuffer(data, np.uint8).reshape(height * 3 // 2, width))


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
