"""Label the training pictures with teachers and pack them: `python -m models.training.prepare --help`.

RVM makes the labels: the best peer by far. (Shown a still twice, for the sake of its recurrent state, it came out 0.3
of IoU nearer to the hand-made masks, for twice the time: not worth it.) The selfie segmenter, made by others on other
data, and the hand-made masks say where RVM is wrong; a label that finds no second opinion is dropped. With the
multiclass segmenter a third is heard where those two differ: else just the pictures would be dropped that are hard. It
is not asked alone, for it collapses on dark clothes.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.evaluation.ours import Matting, open_session
from models.evaluation.peers import RVM_FILE, RVM_MULTIPLE, open_multiclass, open_peer, start_rvm
from models.training.pool import SHARD, Sample, read_pool, write_shard

LONGEST_SIDE = 384
"""1.5 × `lite`'s width, so that a head-and-shoulders crop still has about its resolution."""
AGREE = 0.75
"""IoU from which two opinions are the same person; by contact sheets: below, one is plainly wrong."""
AGREE_HAND = 0.8
"""The same against a hand-made mask. Stricter, for the masks are good; no more, for they hold bags."""
FEW_PIXELS = 0.002
"""Below this share of the picture RVM sees nobody."""


def iou(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Intersection over union of two masks at half of 255; 1 if both are empty."""
    one, other = a > 127, b > 127
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def label(
    rvm: NDArray[np.uint8],
    selfie: NDArray[np.uint8],
    hand: NDArray[np.uint8] | None,
    third: Callable[[], NDArray[np.uint8] | None] = lambda: None,
) -> tuple[NDArray[np.uint8] | None, str]:
    """Choose a picture's label from the opinions, all uint8 (h, w); the third is asked for only if the others differ.

    Returns:
        The alpha, or None where no opinion can be trusted; and the reason in two words, for the count.
    """
    if np.count_nonzero(rvm > 127) < FEW_PIXELS * rvm.size:
        return (hand, "hand-made") if hand is not None and iou(selfie, hand) >= AGREE else (None, "dropped: nobody")
    if hand is not None:
        if iou(rvm, hand) >= AGREE_HAND:
            return rvm, "rvm = hand"
        # The hand-made masks leave bystanders out: where both networks see one, the mask is no truth for us.
        return (hand, "hand-made") if iou(selfie, rvm) < AGREE_HAND else (None, "dropped: hand ≠ networks")
    if iou(rvm, selfie) >= AGREE:
        return rvm, "rvm = selfie"
    other = third()
    return (rvm, "rvm = multiclass") if other is not None and iou(rvm, other) >= AGREE else (None, "dropped: rvm alone")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The uint8 BGR (h, w, 3) picture in a file.

    Raises:
        OSError: there is none in it.
    """
    picture = cv2.imread(str(path))
    if picture is None:
        raise OSError(f"{path} cannot be read as a picture: take it out of the folder")
    return np.asarray(picture, np.uint8)


def size_at(picture: NDArray[np.uint8], longest: int) -> tuple[int, int]:
    """The size (width, height) to label and keep a picture at."""
    scale = min(1.0, longest / max(picture.shape[:2]))
    height, width = (max(RVM_MULTIPLE, round(x * scale / RVM_MULTIPLE) * RVM_MULTIPLE) for x in picture.shape[:2])
    return width, height


def _bytes(alpha: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    scaled: NDArray[np.uint8] = np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8)
    if scaled.shape[::-1] != size:
        scaled = np.asarray(cv2.resize(scaled, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return scaled


class Labeller:
    """Labels pictures one by one; `counts` tells what became of them, by kind."""

    def __init__(self, data: Path, teachers: Path, multiclass: Path | None, longest: int, threads: int) -> None:
        self._masks, self._longest = data / "masks", longest
        self._selfie: Matting = open_peer("selfie-square", teachers, threads)
        self._multiclass = open_multiclass(multiclass, threads) if multiclass else None
        self._rvm = open_session(teachers / RVM_FILE, threads)
        self.counts: Counter[tuple[str, str]] = Counter()

    def __call__(self, path: Path) -> Sample | None:
        """The labelled picture, or None if no label could be trusted."""
        picture = read_picture(path)
        size = size_at(picture, self._longest)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        mask = self._masks / f"{path.stem}.png"
        hand = None
        if mask.is_file():
            drawn = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
            hand = np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), np.uint8)

        def third() -> NDArray[np.uint8] | None:
            return _bytes(self._multiclass(picture), size) if self._multiclass else None

        alpha, why = label(self._matte(picture, size), _bytes(self._selfie(picture), size), hand, third)
        kind = path.stem.split("_")[0]
        self.counts[kind, why] += 1
        return None if alpha is None else Sample(path.stem, kind, picture, alpha)

    def _matte(self, picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        return _bytes(start_rvm(self._rvm, *size)(picture), size)


def enlarged(sample: Sample, path: Path, longest: int) -> Sample:
    """A labelled sample with its picture at another size and the label stretched to it: RVM takes seconds, this none.

    A stretched label's edge is a little softer than one made at that size.
    """
    picture = read_picture(path)
    size = size_at(picture, longest)
    picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    alpha = np.asarray(cv2.resize(sample.alpha, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return Sample(sample.name, sample.kind, picture, alpha)


def _rooms(paths: list[Path], longest: int) -> Iterator[Sample]:
    for path in paths:
        picture = read_picture(path)
        picture = np.asarray(cv2.resize(picture, size_at(picture, longest), interpolation=cv2.INTER_AREA), np.uint8)
        yield Sample(path.stem, path.stem.split("_")[0], picture, np.zeros(picture.shape[:2], np.uint8))


def _shards(paths: list[Path], folder: Path, part: str) -> Iterator[tuple[Path, list[Path]]]:
    """The shards not yet written, each with its pictures: a stopped run goes on where it was."""
    for start in range(0, len(paths), SHARD):
        shard = folder / f"{part}_{start // SHARD:03d}.npz"
        if not shard.exists():
            yield shard, paths[start : start + SHARD]


def main() -> None:
    """Label everything; print what became of the pictures of each kind."""
    parser = argparse.ArgumentParser(prog="python -m models.training.prepare", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/train"), help="images/, masks/ and rooms/")
    parser.add_argument("--teachers", type=Path, default=Path("../shared/weights"), help="the teachers' files")
    parser.add_argument("--pool", type=Path, default=Path(".work/pool"), help="where the shards go")
    parser.add_argument("--longest", type=int, default=LONGEST_SIDE, help="longest side to label and keep, in pixels")
    parser.add_argument("--kinds", nargs="+", metavar="KIND", help="only pictures whose names begin so (default: all)")
    parser.add_argument("--beside", type=Path, nargs="+", default=[], help="leave out what these pools hold already")
    parser.add_argument("--labels", type=Path, nargs="+", default=[], help="take the labels from these pools")
    parser.add_argument("--multiclass", type=Path, help="selfie_multiclass_256x256.tflite, for a third opinion")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    args.pool.mkdir(parents=True, exist_ok=True)
    rooms = sorted((args.data / "rooms").glob("*")) if not args.beside else []  # a list of people alone has none
    for shard, paths in _shards(rooms, args.pool, "rooms"):
        write_shard(shard, list(_rooms(paths, args.longest)))
    images = sorted((args.data / "images").glob("*"))  # a list of rooms alone has none
    if not images and not (args.data / "rooms").is_dir():
        parser.error(f"{args.data} has neither images/ nor rooms/: gather a list into it")
    images = [path for path in images if not args.kinds or path.stem.split("_")[0] in args.kinds]
    done = {sample.name for sample in read_pool(*args.beside)[0]}
    images = [path for path in images if path.stem not in done]
    random.Random(0).shuffle(images)  # so that the first shards alone already hold every kind
    known = {sample.name: sample for sample in read_pool(*args.labels)[0]}
    labeller = Labeller(args.data, args.teachers, args.multiclass, args.longest, args.threads)

    def sample_of(path: Path) -> Sample | None:
        if not known:
            return labeller(path)
        return enlarged(known[path.stem], path, args.longest) if path.stem in known else None

    with tqdm(total=len(images), desc="labels", unit="picture") as progress:
        for shard, paths in _shards(images, args.pool, "people"):
            samples = []
            for path in paths:
                sample = sample_of(path)
                samples += [sample] if sample else []
                progress.update()
            write_shard(shard, samples)
    for (kind, why), count in sorted(labeller.counts.items()):
        print(f"{kind:6} {why:26} {count:5}")


if __name__ == "__main__":
    main()
