"""Score networks on clips with true alpha, per clip and in the mean, beside peers.

    python -m models.evaluation --data ../shared/data/dev --peers ../shared/weights lite selfie-landscape rvm

MODEL is a name in the manifest, the path of an .onnx or .tflite file with the same contract, or, where --peers names
the folder with their files, a peer's name. All run on one thread of ONNX Runtime's CPU provider or of LiteRT. With
--time, the networks alone also run in turns, so that whatever else the machine does befalls all of them alike; ours,
but for :raw, with what goes before and after.

MODEL may also be some of these joined by +, for the mean of their masks, or a folder of finished mattes, <clip>/*.png,
as `greenroom matte` writes them: the whole product's. One of ours with :followed behind it looks where people are, as
the product does (`models.region`), and not at whole frames. With :raw behind its name, before :followed, its answer is
not settled by colour (`models.settle`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, astuple
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.evaluation.clips import Score, find_clips, frames, mean, score_clip
from models.evaluation.ours import Matting, open_file, open_own, open_session, own_file
from models.evaluation.peers import PEERS, RVM, open_peer
from models.manifest import ModelError
from models.region import Tracker
from models.segmenter import Segmenter
from models.training.prepare import read_picture

TIMED_RUNS = 60


def replay(folder: Path) -> Matting:
    """The mattes that lie in a folder, in the order of their names, instead of a network's.

    Raises:
        ModelError: the folder is missing or holds fewer mattes than the clip frames.
    """
    files = iter(sorted(folder.glob("*.png")))

    def run(_: NDArray[np.uint8]) -> NDArray[np.float32]:
        if (file := next(files, None)) is None:
            raise ModelError(f"{folder} holds fewer mattes than the clip has frames: run `greenroom matte` on it again")
        return np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.float32) * np.float32(1 / 255)

    return run


FOLLOWED, RAW = ":followed", ":raw"


def open_network(name: str, peers: Path | None, clip: str = "") -> Matting:
    """Open anything that the command line may name, for one clip, or for pictures that have nothing in common."""
    if Path(name).is_dir():
        return replay(Path(name) / clip)
    if "+" in name:
        return together([open_network(part, peers, clip) for part in name.split("+")])
    if name.endswith(FOLLOWED):
        return followed(_open_own(name.removesuffix(FOLLOWED)), alone=not clip)
    if name not in (*PEERS, RVM):
        return _open_own(name)
    if peers is None:
        raise ModelError(f"{name} is a peer: name the folder that holds its file with --peers")
    return open_peer(name, peers, 1)


def _open_own(name: str) -> Segmenter:
    return open_own(name.removesuffix(RAW), settled=not name.endswith(RAW))


def together(mattings: list[Matting]) -> Matting:
    """The mean of some networks' masks, at the largest of their sizes."""

    def run(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        masks = [matting(frame) for matting in mattings]
        size = max(mask.shape for mask in masks)[::-1]
        return np.asarray(np.mean([cv2.resize(mask, size) for mask in masks], axis=0), np.float32)

    return run


def followed(segmenter: Segmenter, *, alone: bool) -> Matting:
    """A network that looks where people were in the last frame or, in pictures that stand alone, where it sees them."""
    tracker = Tracker(segmenter, patient=alone)

    def run(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        look = tracker(frame, fresh=alone)
        matte = np.zeros(frame.shape[:2], np.float32)
        matte[look.region.place] = cv2.resize(look.mask, look.region.size, interpolation=cv2.INTER_LINEAR)
        return matte

    return run


def twice(matting: Matting) -> Matting:
    """The mean of a frame's mask and its mirror image's, mirrored back: what a second look would buy."""

    def run(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        first = matting(frame).copy()
        second = matting(np.ascontiguousarray(frame[:, ::-1]))[:, ::-1]
        return (first + second) * np.float32(0.5)

    return run


def _runner(name: str, peers: Path | None, frame: NDArray[np.uint8] | None) -> Callable[[], object]:
    """A network alone, on noise; or one of ours, but for `RAW`, on a frame, which it shrinks, and settles its mask."""
    rng = np.random.default_rng(0)
    if name == RVM:
        matting, nothing = open_network(name, peers), np.zeros((288, 512, 3), np.uint8)
        return lambda: matting(nothing)
    if name in PEERS and peers:
        session = open_session(peers / PEERS[name].file, 1)
        image = session.get_inputs()[0]
        values = rng.random([1, *image.shape[1:]], np.float32)
        return lambda: session.run(None, {image.name: values})
    if frame is not None and not name.endswith(RAW):
        segmenter = open_own(name)
        return lambda: segmenter(frame)
    compute, shape = open_file(own_file(name.removesuffix(RAW)))
    picture = rng.integers(0, 256, shape, np.uint8)
    return lambda: compute(picture)


def time_networks(names: list[str], peers: Path | None, frame: NDArray[np.uint8] | None = None) -> dict[str, float]:
    """Median milliseconds of each by itself, taken in turns; RVM's, and ours on a frame, with what goes before."""
    runners = {name: _runner(name, peers, frame) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(TIMED_RUNS):
        for name, run in runners.items():
            run()  # brings its own weights back into the caches
            began = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - began))
    return {name: statistics.median(taken) for name, taken in times.items()}


def _line(name: str, score: Score) -> str:
    return f"{name:24}" + "".join(f"{value:9.2f}" for value in astuple(score))


def main() -> int:
    """Print the figures; with --json, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help=f"ours, an .onnx or .tflite file, a folder, or {', '.join([*PEERS, RVM])}",
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder of clips")
    parser.add_argument("--peers", type=Path, help="the folder with the peers' files")
    parser.add_argument("--twice", action="store_true", help="look at each frame and at its mirror image")
    parser.add_argument(
        "--true-edge",
        type=int,
        default=0,
        metavar="PIXELS",
        help="give them the truth so far along their own edges, of 640×360",
    )
    parser.add_argument("--room", type=Path, help="a picture: the clips' people, twice as far away, in front of it")
    parser.add_argument("--time", action="store_true", help="measure the time of each, in turns")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.twice and any(FOLLOWED in name for name in args.models):
        parser.error(f"{FOLLOWED} follows a clip, not its mirror image in turns: leave --twice or it out")
    cv2.setNumThreads(1)
    try:
        for name in args.models:
            open_network(name, args.peers)
        clips = find_clips(args.data)
        room = read_picture(args.room) if args.room else None
    except (ModelError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    result: dict[str, dict[str, Score]] = {}
    for name in args.models:
        clip_scores = {}
        for clip in tqdm(clips, desc=name, unit="clip", leave=False):
            # A fresh one for each clip: RVM remembers.
            matting = open_network(name, args.peers, clip.name)
            matting = twice(matting) if args.twice else matting
            clip_scores[clip.name] = score_clip(matting, clip, args.true_edge, room)
        result[name] = {**clip_scores, "mean": mean(list(clip_scores.values()))}
    networks = [name for name in args.models if not ("+" in name or name.endswith(FOLLOWED) or Path(name).is_dir())]
    times = time_networks(networks, args.peers, next(frames(clips[0]))[0]) if args.time else {}
    if args.json:
        scores = {name: {clip: asdict(score) for clip, score in clips.items()} for name, clips in result.items()}
        print(json.dumps({"scores": scores, "milliseconds": times}, indent=1))
        return 0
    for name, named in result.items():
        print(f"{name:24}" + "".join(f"{title:>9}" for title in ("J", "F", "MAD", "dtSSD", "flicker")))
        print("\n".join(_line(clip, score) for clip, score in named.items()))
    for name, milliseconds in times.items():
        print(f"{name:24}{milliseconds:9.2f} ms, one thread")
    return 0


if __name__ == "__main__":
    sys.exit(main())
