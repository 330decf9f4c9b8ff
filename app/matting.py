"""Mattes of files: every frame's alpha, for judging the segmenter and for editing programs."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from app.capture import BrokenFrame, EndOfSource, Source
from app.capture.file import FolderSource
from app.compose.planes import double
from app.files import cure, exists, replacing
from app.frame import Image
from app.matte.refine import Refiner
from app.matte.temporal import Memory, steady
from app.problems import GreenroomError
from models.region import Looking

log = logging.getLogger(__name__)


class Matter:
    """Makes the alpha of one frame after the other, of any sizes.

    Args:
        look: makes the masks.
        temporal: steady the mask from frame to frame.
        alone: the pictures have nothing to do with each other.
        refine: follow the frame's edges.
    """

    def __init__(self, look: Looking, *, temporal: bool, refine: bool, alone: bool = False) -> None:
        self._look, self._temporal, self._refine, self._alone = look, temporal, refine, alone
        self._memory: Memory | None = None
        self._refiner: Refiner | None = None
        self._size = (0, 0)
        self._alpha = np.empty((0, 0), np.uint8)

    def __call__(self, frame: Image) -> Image:
        """The alpha, uint8 (H, W), of a BGR frame (H, W, 3); overwritten by the next call.

        Raises:
            UntrustedMask: the network's answer is no mask.
        """
        look = self._look(frame, fresh=self._alone)
        mask = look.mask
        height, width = frame.shape[:2]
        if self._refiner is None or self._size != (width, height) or self._refiner.region != look.region:
            self._size, self._memory = (width, height), None
            self._refiner = Refiner(width, height, mask.shape[1], mask.shape[0], self._refine, look.region)
            self._alpha = np.empty((height, width), np.uint8)
        gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        luminance = self._refiner.luminance(cv2.resize(gray, self._refiner.half_size, interpolation=cv2.INTER_AREA))
        if self._temporal:
            mask, self._memory = steady(mask, luminance, self._memory)
        return double(self._refiner(mask, luminance), self._alpha)


def names(source: Source) -> Iterator[str]:
    """The PNG files' names for a source's frames: as the pictures of a folder, else numbers in order.

    Where two pictures differ in their extension only, theirs keep it: a.jpg.png and a.png.png.
    """
    if isinstance(source, FolderSource):
        stems = Counter(path.stem for path in source.paths)
        yield from (f"{path.stem if stems[path.stem] == 1 else path.name}.png" for path in source.paths)
        return
    yield from (f"{number:06d}.png" for number in itertools.count())


def write_mattes(source: Source, matter: Matter, folder: Path, left_out: list[str]) -> Iterator[str]:
    """Write one 8-bit PNG a frame; yields each file's name once it is written.

    Damaged pictures are left out and logged, and what is wrong with each is added to `left_out`.

    Raises:
        EndOfSource: the source ended before its time.
        GreenroomError: the folder or a file in it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GreenroomError(f"{folder} cannot be made ({error.strerror}).", "Choose another folder.") from error
    for name in names(source):
        try:
            frame = source.read()
        except EndOfSource as end:
            if end.problem is not None:
                raise
            return
        except BrokenFrame as error:
            log.warning("%s", error)
            left_out.append(str(error))
            continue
        path = folder / name
        if _is_no_alpha(path):
            raise GreenroomError(f"{path} is another picture.", "Write the alphas to another folder.")
        _, png = cv2.imencode(".png", matter(frame), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        try:
            with replacing(path, lasting=False) as file:
                file.write(np.asarray(png).tobytes())
        except OSError as error:
            raise GreenroomError(
                f"{path} cannot be written ({error.strerror}).", cure(error, "Choose another folder.")
            ) from error
        yield name


def _is_no_alpha(path: Path) -> bool:
    """Whether something has this name that is no older alpha, which may be replaced: an 8-bit gray PNG.

    Its header says so: 8 bytes of signature, 4 + 4 of the first chunk's length and kind, width, height, depth, colours.
    """
    if not exists(path):
        return False
    try:
        with path.open("rb") as file:
            return file.read(26)[24:] != b"\x08\x00"
    except OSError:
        return False  # to write it says why
