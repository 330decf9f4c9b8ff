"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path, *, private: bool = False, lasting: bool = True) -> Iterator[IO[bytes]]:
    """A hidden file beside `path` to write to: it takes that name when the block ends, and is gone when it fails.

    Args:
        path: the name.
        private: whether only its owner may read it.
        lasting: whether it is on the disk before it takes the name; without, a power cut may leave a name without
            content, and thousands of files are written far faster.

    Raises:
        OSError: it cannot be made, written or put in place; what had the name before is as it was.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.partial")
    mode = 0o600 if private else 0o666
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def named(text: str) -> Path:
    """The path that a user wrote; `~` stands for a home folder, as in a shell, where there is one."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no such user
        return Path(text)


def exists(path: Path) -> bool:
    """Whether something is there, as far as one may look: unlike a path's own this never raises."""
    try:
        return path.exists()
    except OSError:
        return False


def file_exists(path: Path) -> bool:
    """Whether a file is there, likewise."""
    return exists(path) and path.is_file()


def cure(error: OSError, otherwise: str) -> str:
    """What cures a write that failed: room where the disk is full, else what the caller knows."""
    return "Make room on the disk." if error.errno in (errno.ENOSPC, errno.EDQUOT) else otherwise
