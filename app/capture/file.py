"""Files as sources: a video, a picture, a folder of pictures. None of them is live: the reader keeps the pace."""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2

from app.capture import BrokenFrame, EndOfSource
from app.capture.image import MAX_SIDE, SUFFIXES, bgr, read_image
from app.files import file_exists
from app.frame import Image
from app.problems import Problem, SourceError

# FFmpeg would write each damaged picture of a video to the terminal; 8 is "fatal". Read when OpenCV first uses it.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "8")

_MOST_FPS = 240.0
"""Files that claim a higher rate (some say 1000 or 90000, their clock) are played at the wanted one instead."""

_WHOLE = 0.9
"""Share of the frames a file claims that make it whole: containers estimate the number from duration and rate."""


class VideoFileSource:
    """The frames of a video file, in order; `fps` is the file's, 0 where it says none that can be true.

    Raises:
        SourceError: missing, empty, or nothing in it can be decoded.
    """

    live = False

    def __init__(self, path: Path | str, *, loop: bool = False) -> None:
        self._path = Path(path)
        self.name = self._path.name
        self._loop = loop
        if not file_exists(self._path):
            raise SourceError(f"There is no video {self._path}.", "Check the path, and that you may read it.")
        if not os.access(self._path, os.R_OK):
            raise SourceError(f"{self._path} may not be read.", "Check the file's permissions.")
        if self._path.stat().st_size == 0:
            raise SourceError(f"{self.name} is empty.", "Copy or record the video again.")
        self._capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        self._next = self._decode()
        if self._next is None:
            self._capture.release()
            raise SourceError(
                f"{self.name} is no video that can be decoded.",
                "Check that it plays elsewhere, or convert it: ffmpeg -i IN -c:v libx264 OUT.mp4",
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= _MOST_FPS else 0.0
        self.length = max(0, round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        """Frames in the file as it says itself, 0 where unknown."""
        self._count = 0

    def read(self) -> Image:
        """The next frame.

        Raises:
            EndOfSource: the last frame was read, and it does not loop.
            SourceError: it loops, but can no longer be read (deleted or overwritten).
        """
        image, self._next = self._next, None
        if image is None:
            image = self._decode()
        if image is not None:
            self._count += 1
            return image
        if not self._loop:
            raise EndOfSource(self._shortfall())
        return self._rewind()

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _shortfall(self) -> Problem | None:
        """What is wrong with a file that ended before its time."""
        if self._count >= _WHOLE * self.length:
            return None
        message = f"{self.name} is damaged: {self._count} of about {self.length} frames could be decoded."
        return Problem("source", message, "Copy or record it again; what could be read was used.")

    def _rewind(self) -> Image:
        # Opened anew: seeking to the start fails with some containers, this with none.
        self._capture.release()
        self._capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        image = self._decode()
        if image is None:
            raise SourceError(f"{self.name} can no longer be read.", "Put the file back, or choose another.")
        return image

    def _decode(self) -> Image | None:
        try:
            delivered, image = self._capture.read()
        except cv2.error:  # a damaged frame: as if the file ended here
            return None
        if not delivered or image is None or image.size == 0:
            return None
        return bgr(image)


class ImageSource:
    """One picture, for ever (`loop`) or once, no side longer than `max_side`; `fps` is the wanted one.

    Raises:
        SourceError: it cannot be read.
    """

    live = False

    def __init__(self, path: Path | str, *, fps: float, loop: bool = True, max_side: int = MAX_SIDE) -> None:
        self.name = Path(path).name
        self.fps = fps
        self._image = read_image(path, max_side)
        self._left = float("inf") if loop else 1.0

    def read(self) -> Image:
        """A copy of the picture.

        Raises:
            EndOfSource: it was read, and does not repeat.
        """
        if self._left < 1:
            raise EndOfSource
        self._left -= 1
        return self._image.copy()

    def close(self) -> None:
        """Nothing to close."""


class FolderSource:
    """The pictures of a folder in natural order of their names (2.png before 10.png); other files are left out.

    Attributes:
        paths: the pictures in the order they are read.

    Raises:
        SourceError: no such folder, or no picture in it.
    """

    live = False

    def __init__(self, folder: Path | str, *, fps: float, loop: bool = False, max_side: int = MAX_SIDE) -> None:
        folder = Path(folder)
        self.name = folder.name
        self.fps = fps
        self._loop = loop
        self._max_side = max_side
        self._next = 0
        self._broken = 0  # how many in a row
        try:
            self.paths = sorted(
                (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()),
                key=natural,
            )
        except OSError as error:
            raise SourceError(f"{folder} cannot be read ({error.strerror}).", "Check the path.") from error
        if not self.paths:
            raise SourceError(f"There is no picture in {folder}.", "Choose a folder with JPEG or PNG files.")

    def read(self) -> Image:
        """The next picture; sizes may differ.

        Raises:
            EndOfSource: the last was read, and it does not loop.
            BrokenFrame: this picture cannot be read; the next `read` goes on with the one after it.
            SourceError: none of the pictures can be read.
        """
        if self._next >= len(self.paths):
            if not self._loop:
                raise EndOfSource
            self._next = 0
        path = self.paths[self._next]
        self._next += 1
        try:
            image = read_image(path, self._max_side)
        except SourceError as error:
            self._broken += 1
            if self._broken < len(self.paths):
                raise BrokenFrame(error.problem.message, error.problem.cure) from error
            raise SourceError(f"None of the pictures in {self.name} can be read.", str(error)) from error
        self._broken = 0
        return image

    def close(self) -> None:
        """Nothing to close."""


def natural(path: Path) -> list[tuple[int, str]]:
    """A sorting key that takes digits as numbers."""
    parts = re.split(r"(\d+)", path.name.casefold())
    # Every second part is a number; text sorts before numbers, as in file managers.
    return [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]
