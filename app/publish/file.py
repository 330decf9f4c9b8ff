"""The sink that is a video file: recordings in real time, and conversions of whole files."""

from __future__ import annotations

import atexit
import errno
import io
import itertools
import logging
import os
import queue
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from app.frame import Picture
from app.problems import SinkError
from app.publish.encoder import FORMATS, Encoder, Format

QUEUE = 16
"""Pictures a recording may lag behind: half a second, 22 MB at 1280 × 720. A scene change delays the encoder less."""

LEAST_FREE = 64 << 20
"""Bytes that must be free to begin a file: on a full disk, trying again must not leave one stump after another."""

log = logging.getLogger(__name__)


class FileSink:
    """Writes a video file; see `app.publish` for the contract.

    A recording (`realtime`) is encoded in its own thread; pictures it cannot keep up with are dropped and counted.
    Its timestamps are those of capture. It never replaces a file: where there is one it takes a numbered name. The
    file can be played at any moment, also after a kill. Cards before the first picture are left out.

    A conversion keeps every picture at a constant rate and waits for the encoder. It is written beside and replaces
    an older file when it is finished.

    Whether the file holds alpha is settled by its first picture; containers without alpha get the picture's I420.

    Raises:
        SinkError: the extension is unknown, or the file cannot be written.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float, *, realtime: bool) -> None:
        self._format = format_of(path)
        self._size, self._fps, self._realtime = (width, height), fps, realtime
        if not realtime:
            path = Path(os.path.realpath(path))  # what a link names is replaced, not the link
        try:
            if shutil.disk_usage(path.parent).free < LEAST_FREE:
                raise OSError(errno.ENOSPC, "less than 64 MB are free")
            if path.exists() and not path.is_file():
                raise OSError(errno.EEXIST, "it is no file")
            self._file = _create(path) if realtime else _Output(_partial(path), "x+")
        except OSError as error:
            raise _error(path, error) from error
        self._forget = partial(_remove, self._file.path)
        if not realtime:
            atexit.register(self._forget)  # who presses Ctrl+C again loses it, and leaves no stump
        self.path = self._file.path if realtime else path
        self.name = str(self.path)
        self.dropped = 0
        self._failure: Exception | None = None
        self._whole = True
        self._encoder: Encoder | None = None
        self._queue: queue.Queue[Any] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._encode, name="encode", daemon=True)

    def write(self, picture: Picture) -> None:
        """Write a picture.

        Raises:
            SinkError: the disk is full or gone; what came before can be played.
        """
        if self._failure is not None:
            raise _error(self.path, self._failure) from self._failure
        if self._encoder is None:
            if self._realtime and picture.seq < 0:
                return
            self._begin(alpha=picture.bgra is not None)
        assert self._encoder is not None
        if self._realtime and self._queue.full():
            self.dropped += 1
            return
        self._queue.put(self._encoder.frame(picture))

    def abandon(self) -> None:
        """The pictures ended early: a conversion keeps what there is under a name that is free."""
        self._whole = False

    def close(self) -> None:
        """Finish the file; one that holds no picture is removed.

        Raises:
            SinkError: the last pictures could not be written, and `write` has not said so already.
        """
        known = self._failure
        if self._encoder is not None:
            self._queue.put(None)
            self._thread.join()
        self._file.close()
        atexit.unregister(self._forget)
        if self.dropped:
            log.warning("%s lacks %d pictures: the encoder was too slow.", self.path, self.dropped)
        if self._encoder is None or not self._file.position:
            self._file.path.unlink()
        elif not self._realtime:
            self._put_in_place()
        if self._failure is not None and known is None:
            raise _error(self.path, self._failure) from self._failure

    def _begin(self, *, alpha: bool) -> None:
        try:
            self._encoder = Encoder(
                self._file, self._format, self._size, self._fps, alpha=alpha, realtime=self._realtime
            )
        except Exception as error:
            self._failure = error
            raise _error(self.path, error) from error
        self._thread.start()

    def _encode(self) -> None:
        """Encode what comes, in this sink's own thread; after an error only take it, so that `write` never hangs."""
        assert self._encoder is not None
        while (frame := self._queue.get()) is not None:
            if self._failure is None:
                self._try(self._encoder.encode, frame)
        self._try(self._encoder.finish)

    def _try(self, step: Any, *arguments: Any) -> None:
        try:
            step(*arguments)
        except Exception as error:
            # The file's own error is the cause; what the library makes of it later is not.
            self._failure = self._failure or self._file.error or error

    def _put_in_place(self) -> None:
        """Give a conversion its name; an incomplete one replaces nothing."""
        whole = self._whole and self._failure is None
        try:
            target = self.path if whole else _claim(self.path)
            self._file.path.replace(target)
        except OSError as error:
            self._failure = self._failure or error
            return
        if not whole:
            log.warning("%s holds what was converted until it ended early.", target)


class _Output(io.RawIOBase):
    """A file that stays as it is after the first failure to write.

    The container's end is written into places before and behind: half of that would spoil a file that can be played.

    Attributes:
        error: the first failure.
        position: bytes that were written at the file's end; 0 when it is empty.
    """

    def __init__(self, path: Path, mode: str) -> None:
        self.path = path
        self.error: OSError | None = None
        self.position = 0
        self._file = _open_raw(path, mode)

    def write(self, data: Any) -> int:
        """Write all the bytes, or none and raise; after a failure forget them."""
        rest = memoryview(data)
        size = len(rest)
        if self.error is not None:
            return size
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.error = error
            raise
        self.position = max(self.position, self._file.tell())
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


def _open_raw(path: Path, mode: str) -> io.FileIO:
    """A file without a buffer, so that what fails is known at once."""
    return io.FileIO(path, mode)


def format_of(path: Path) -> Format:
    """The kind of video that a file's name asks for.

    Raises:
        SinkError: it is none that can be written.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(FORMATS)
        raise SinkError(
            f"{str(path)!r} is neither a kind of sink nor a video file that can be written.",
            f"Use a file name that ends in {known}; or auto, v4l2, pipewire, virtualcam or null.",
        ) from None


def _create(path: Path) -> _Output:
    """A new file under the first name that is free."""
    for name in _names(path):
        try:
            return _Output(name, "x+")
        except FileExistsError:
            continue
    raise AssertionError("names never end")


def free(path: Path) -> Path:
    """The path, or where something has that name the first with -2, -3 and so on that is free."""
    return next(name for name in _names(path) if not name.exists())


def _claim(path: Path) -> Path:
    """The first name that is free, taken by an empty file: another that ends now takes the next."""
    for name in _names(path):
        try:
            name.touch(exist_ok=False)
        except FileExistsError:
            continue
        return name
    raise AssertionError("names never end")


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _names(path: Path) -> Iterator[Path]:
    """The path, then with -2, -3 and so on."""
    yield path
    for number in itertools.count(2):
        yield path.with_stem(f"{path.stem}-{number}")


def _partial(path: Path) -> Path:
    """A hidden name for an unfinished conversion, its own: another to the same file may be under way."""
    return path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.partial{path.suffix}")


def _error(path: Path, error: Exception) -> SinkError:
    """What went wrong with a file, and the cure."""
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return SinkError(f"The disk is full: {path}", "Make room; what is in the file so far can be played.")
    if number == errno.ENOENT and not path.parent.is_dir():
        return SinkError(f"There is no folder {path.parent}.", "Create it, or choose another.")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return SinkError(f"You may not write {path}.", "Choose another folder.")
    reason = getattr(error, "strerror", None) or str(error) or repr(error)
    return SinkError(f"{path} cannot be written ({reason}).", "Choose another folder, extension or size.")
