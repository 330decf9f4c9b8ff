"""`greenroom bench start`: from a process's start to the first picture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import numpy as np

from app.bench.common import Results

_START = """
import json, time, psutil
from app.pipeline import Pipeline
from app.settings import Settings
born, seen = psutil.Process().create_time(), {}
running = Pipeline(Settings().replace(source="clip", sinks=("null",)))
running.start()
while len(seen) < 2:
    status = running.status()
    if status.published:
        seen.setdefault("first_picture_s", time.time() - born)
        if not status.protected:
            seen.setdefault("first_mask_s", time.time() - born)
    time.sleep(0.002)
running.stop()
print(json.dumps(seen))
"""


def measure(repeats: int = 5) -> Results:
    """Seconds from the start of a process of its own to the first picture, with a mask, and in the window."""
    return _medians(["-c", _START], repeats) | _medians(["-m", "app.gui.startup"], repeats)


def _medians(arguments: list[str], repeats: int) -> Results:
    """The median of each figure that a Python process prints as JSON, without a display or files of the user."""
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        own = {f"XDG_{kind}_HOME": folder for kind in ("CONFIG", "DATA")}
        environment = os.environ | own | {"QT_QPA_PLATFORM": "offscreen"}
        for _ in range(repeats):
            command = [sys.executable, *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=environment)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {name: float(np.median([run[name] for run in runs])) for name in runs[0]}


def text(row: Results) -> list[str]:
    """The results as lines of Markdown."""
    line = f"Start of a process to the first picture {row['first_picture_s']:.2f} s, "
    line += f"to the first with a mask {row['first_mask_s']:.2f} s, to the first in the window "
    return [line + f"{row['window_s']:.2f} s, which closes in {row['window_close_s']:.2f} s (medians of 5)"]
