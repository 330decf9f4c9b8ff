"""The user's own background pictures: copies in the user's data folder, so that they outlive the originals."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

import numpy as np
import platformdirs
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QImageReader

from app.files import cure, replacing
from app.problems import EffectError

LARGEST = 64 * 2**20
"""Bytes of a picture that is still copied: the largest of a 100-megapixel camera."""


def folder() -> Path:
    """Where the copies are."""
    return Path(platformdirs.user_data_dir("greenroom", appauthor=False)) / "backgrounds"


def pictures() -> list[Path]:
    """The user's pictures, oldest first."""
    try:
        found = [path for path in folder().iterdir() if path.is_file() and not path.name.startswith(".")]
        return sorted(found, key=lambda path: path.stat().st_mtime)
    except OSError:  # not made yet, or nobody may look into it: to add one says so
        return []


def title(path: Path) -> str:
    """What a picture is called: its file's name without the mark that keeps names apart."""
    name, _, mark = path.stem.rpartition("-")
    return name if name and len(mark) == 8 else path.stem


def add(path: Path) -> Path:
    """Copy a picture into the library and return the copy; the same picture twice is kept once.

    Raises:
        EffectError: it is no picture, too large, or cannot be copied.
    """
    reader = QImageReader(str(path))
    reader.setDecideFormatFromContent(True)
    if not reader.canRead():
        raise EffectError(f"{path.name} is not a picture that can be read.", "Choose a JPEG, PNG or WebP file.")
    try:
        if path.stat().st_size > LARGEST:
            raise EffectError(f"{path.name} is too large.", f"Choose one of at most {LARGEST // 2**20} MB.")
        content = path.read_bytes()
        mark = hashlib.sha256(content).hexdigest()[:8]
        copy = folder() / f"{path.stem}-{mark}{path.suffix}"
        if not copy.exists():
            folder().mkdir(parents=True, exist_ok=True)
            with replacing(copy) as file:  # half a picture under this name would be taken for the whole ever after
                file.write(content)
    except OSError as error:
        message = f"{path.name} could not be kept ({error})."
        raise EffectError(message, cure(error, f"Make {folder()} writable.")) from error
    return copy


def remove(path: Path) -> None:
    """Delete a copy; any other file is left alone.

    Raises:
        EffectError: it cannot be deleted.
    """
    if path.parent != folder():
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise EffectError(f"{path} cannot be removed ({error.strerror}).", "Make its folder writable.") from error


def thumbnail(path: Path, size: QSize) -> QImage:
    """A picture scaled and cropped to fill the size; a null image when it cannot be read. Runs in any thread."""
    reader = QImageReader(str(path))
    reader.setDecideFormatFromContent(True)
    reader.setAutoTransform(True)
    whole = reader.size()
    if whole.isValid():
        reader.setScaledSize(whole.scaled(size, Qt.AspectRatioMode.KeepAspectRatioByExpanding))
    return _cropped(reader.read(), size)


def video_thumbnail(path: Path, size: QSize) -> QImage:
    """A video's first picture, scaled and cropped like a picture. Runs in any thread.

    Raises:
        SourceError: it cannot be read.
    """
    from app.capture.file import VideoFileSource  # imports cv2, which takes a while, in this thread

    with closing(VideoFileSource(path, loop=False)) as source:
        bgr = np.ascontiguousarray(source.read())
        image = QImage(bgr.data, bgr.shape[1], bgr.shape[0], bgr.strides[0], QImage.Format.Format_BGR888)
        return _cropped(image, size)


def _cropped(image: QImage, size: QSize) -> QImage:
    if image.isNull():
        return image
    image = image.scaled(
        size, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation
    )
    return image.copy((image.width() - size.width()) // 2, (image.height() - size.height()) // 2, *size.toTuple())
