"""Measures how soon the window shows the camera: `python -m app.gui.startup`, used by `greenroom bench start`.

Prints JSON: seconds from the start of this process to the first picture in the preview, and what closing takes.
"""

from __future__ import annotations

import json
import time

import psutil

from app.gui import forget_cv2_qt
from app.gui.engine import AnyPipeline, real_pipeline
from app.gui.program import application
from app.gui.window import Window
from app.settings import Settings

LONGEST = 60.0
"""Seconds to wait for the picture."""


def main() -> None:
    """Open the window on the bundled clip, wait for its first picture (the card does not count), close it."""
    born = psutil.Process().create_time()
    forget_cv2_qt()
    qt = application()
    made: list[AnyPipeline] = []

    def pipeline(settings: Settings) -> AnyPipeline:
        made.append(real_pipeline(settings))
        return made[0]

    window = Window(Settings().replace(source="clip", sinks=("null",)), [], pipeline)
    window.start()
    window.show()
    while not (made and made[0].status().published and window.preview.has_image):
        if time.time() - born > LONGEST:
            raise SystemExit(f"no picture within {LONGEST:.0f} s")
        qt.processEvents()
        time.sleep(0.002)
    shown, closing = time.time() - born, time.monotonic()
    window.close()
    print(json.dumps({"window_s": shown, "window_close_s": time.monotonic() - closing}))


if __name__ == "__main__":
    main()
