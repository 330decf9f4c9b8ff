"""Nothing that runs here tells anybody about it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
USES = """
from backends import {backend} as runtime
print([device.id for device in runtime.probe().devices])
from models.manifest import get_model
session = runtime.load(get_model("lite").file(runtime.FORMAT).verify(), "CPU", 1)
session.run()
session.close()
"""


class Proxy:
    """A proxy for https that takes nobody anywhere and notes that somebody came."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.asked: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                self.asked.append(connection.recv(200))

    def close(self) -> None:
        self._server.close()


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "litert"])
def test_a_runtime_leaves_no_trace_and_calls_nobody(backend: str, tmp_path: Path) -> None:
    """What telemetry keeps to know a machine again lies in the home folder: nothing is to be there."""
    proxy = Proxy()
    names = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY" and not k.startswith("XDG_")}
    environment |= {"HOME": str(tmp_path)} | dict.fromkeys(names, proxy.address)
    code = USES.format(backend=backend)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    proxy.close()
    assert done.returncode == 0, done.stderr
    kept = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert [name for name in kept if "greenroom" not in name] == []
    assert proxy.asked == []
