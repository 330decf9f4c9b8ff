"""Takes the documentation's screenshots: `python -m app.gui.screenshots FOLDER`.

The window runs without a display on the real pipeline, with the bundled clip as camera. Only the virtual camera is
stood in for, so that the pictures are the same on every machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QPoint, QRect
from PySide6.QtGui import QFont, QFontDatabase, QImage, QImageWriter
from PySide6.QtWidgets import QApplication

from app.files import replacing
from app.gui import forget_cv2_qt
from app.gui.program import application
from app.gui.window import Window
from app.pipeline import Pipeline
from app.problems import SinkError
from app.publish import Sink
from app.publish.null import NullSink
from app.publish.v4l2 import LOAD
from app.settings import Settings

FONTS = ("Inter", "Cantarell", "Noto Sans", "DejaVu Sans")
"""The first of these that is installed is used, as a desktop would set one; Qt without a display has none."""

SETTLED = 75
"""Pictures to wait for after the first with a person: exposure, matte and figures have settled."""

LONGEST = 60.0
"""Seconds to wait for them: the first start on a machine measures its runtimes."""

LARGEST = 400 * 1024
"""Bytes of one picture, so that the documentation stays quick to load."""

COARSEST = 8
"""The coarsest rounding of a screenshot's values; steps of 8 begin to be seen on blurred walls."""


@dataclass(frozen=True)
class Shot:
    """One screenshot: its file's name, the window's size and settings, and what else it shows."""

    name: str
    size: tuple[int, int]
    settings: dict[str, Any] = field(default_factory=dict)
    advanced: bool = False
    connected: bool = True


SHOTS = (
    Shot("wide-light", (1280, 800), {"theme": "light", "effect": "image", "image": "living"}),
    Shot("wide-dark", (1280, 800), {"theme": "dark", "effect": "image", "image": "city"}),
    Shot("narrow-light", (900, 600), {"theme": "light", "effect": "image", "image": "bookshelf"}),
    Shot("narrow-dark", (900, 600), {"theme": "dark"}),
    Shot("large-light", (1600, 1000), {"theme": "light", "effect": "colour", "colour": "#e8e4dc"}, advanced=True),
    Shot("large-dark", (1600, 1000), {"theme": "dark", "effect": "colour", "colour": "#1f2933"}, advanced=True),
    Shot("problem-light", (1280, 800), {"theme": "light"}, connected=False),
    Shot("room-dark", (1280, 800), {"theme": "dark", "effect": "none", "show_room": True}),
)


def take(folder: Path, shots: tuple[Shot, ...] = SHOTS, source: str = "clip") -> Iterator[tuple[Path, float]]:
    """Take screenshots; gives each file and the seconds from the window's making to its first picture."""
    qt = application()
    installed = QFontDatabase.families()
    qt.setFont(QFont(next(font for font in FONTS if font in installed)))
    folder.mkdir(parents=True, exist_ok=True)
    for shot in shots:
        yield _take(shot, folder / f"{shot.name}.png", source)


def _take(shot: Shot, path: Path, source: str) -> tuple[Path, float]:
    settings = Settings().replace(source=source, **shot.settings)
    started = time.monotonic()
    window = Window(settings, [], lambda chosen: Pipeline(chosen, open_sink=_connected if shot.connected else _missing))
    window.call.offer({"v4l2:/dev/video10": "ready", "pipewire": "ready"})
    window.advanced.header.setChecked(shot.advanced)
    window.resize(*shot.size)
    window.engine.start()
    window.effects.refresh()
    window.camera.refresh()
    window.show()
    try:
        _wait(lambda: window.preview.has_image)
        first = time.monotonic() - started
        _wait(lambda: window.status is not None and (not window.status.protected))
        settled = window.status.captured + SETTLED if window.status else SETTLED
        _wait(lambda: window.status is not None and window.status.captured > settled)
        picture = window.preview.picture_rect().toRect().translated(window.preview.mapTo(window, QPoint()))
        _save(window.grab().toImage(), picture, path)
    finally:
        window.close()
    return path, first


def _wait(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST
    while not ready():
        if time.monotonic() > end:
            raise SystemExit(f"nothing to see after {LONGEST:.0f} s")
        QApplication.processEvents()
        time.sleep(0.01)


class _Loopback(NullSink):
    """A virtual camera as most people have it."""

    name = "v4l2:/dev/video10"


def _connected(spec: str, width: int, height: int, fps: float) -> Sink:
    return _Loopback()


def _missing(spec: str, width: int, height: int, fps: float) -> Sink:
    raise SinkError("There is no v4l2loopback device.", f"Load the module: {LOAD}")


def _save(image: QImage, picture: QRect, path: Path) -> None:
    """Write a PNG of at most `LARGEST` bytes: the preview is rounded as coarsely as that takes, which packs better."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.bits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    left, width = 3 * picture.left(), 3 * picture.width()
    preview = rows[picture.top() : picture.bottom() + 1, left : left + width]
    exact = preview.astype(np.float32) / 255
    for step in range(1, COARSEST + 1):
        levels = np.float32(255 // step)  # black and white stay what they are
        preview[:] = np.rint(np.rint(exact * levels) * (255 / levels))
        packed = QBuffer()
        writer = QImageWriter(packed, QByteArray(b"png"))
        writer.setQuality(0)  # which packs most
        writer.write(image)
        if packed.size() <= LARGEST:
            with replacing(path) as file:  # stopped in between, it must not leave half a picture in the documents
                file.write(bytes(packed.data().data()))
            return
    raise SystemExit(f"{path} is larger than {LARGEST // 1024} KiB even so.")


@contextmanager
def _own_folders() -> Iterator[None]:
    """Keep the user's settings and pictures out of the screenshots, and the screenshots out of them."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            os.environ[name] = folder
        yield


def main() -> int:
    """Take all screenshots, or those named after the folder."""
    if len(sys.argv) < 2:
        print("Usage: python -m app.gui.screenshots FOLDER [NAME …]", file=sys.stderr)
        return 2
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    forget_cv2_qt()
    wanted = sys.argv[2:] or [shot.name for shot in SHOTS]
    with _own_folders():
        for path, first in take(Path(sys.argv[1]), tuple(shot for shot in SHOTS if shot.name in wanted)):
            print(f"{path}  {path.stat().st_size // 1024} KiB  first picture after {first:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
