"""GStreamer as a program that shows a PipeWire camera."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Mapping

import cv2
import numpy as np
from desktop import PATIENCE, end
from numpy.typing import NDArray


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
