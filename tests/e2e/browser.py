"""Chromium with a page of a meeting that shows a camera; with the standard library alone, so that it starts quickly."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

PAGE = Path(__file__).with_name("page.html")


@dataclass
class Seen:
    """What a page has seen.

    Attributes:
        frames: width, height and RGBA pixels of each.
        facts: what the browser says of the camera.
        notes: what it has said while it looked for the camera.
    """

    frames: list[tuple[int, int, bytes]] = field(default_factory=list)
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
            self._seen.frames.append((int(facts["width"][0]), int(facts["height"][0]), body))
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
    patience: float = 60.0,
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
    program = next(filter(shutil.which, _NAMES), None)
    assert program, f"none of {', '.join(_NAMES)} is installed; try: sudo apt install chromium-headless-shell"
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
                [program, *_OPTIONS, f"--user-data-dir={profile}", *options, url],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            answered = done.wait(patience)
        finally:
            _kill(browser)
            server.shutdown()
            server.server_close()
        assert answered, f"no answer of the page after {len(seen.frames)} frames; {seen.notes[-1:]}\n{_tail(log)}"
    assert "error" not in seen.facts, f"{seen.facts['error']}; {seen.notes[-1:]}"
    return seen


_NAMES = ("chromium-headless-shell", "chromium", "google-chrome", "chromium-browser")
"""What it is called; the first is the smallest and what Debian's tests install."""

_OPTIONS = [
    "--headless",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers give it 64 MB
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-ui-for-media-stream",  # says yes to "may this page use the camera?"
    "--autoplay-policy=no-user-gesture-required",
    "--enable-logging=stderr",
]


def _kill(browser: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(browser.pid, signal.SIGKILL)
    browser.wait()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
