"""Temporal smoothing of the mask, gated by motion.

Where the picture stands still the mask is an exponential average, which takes out the network's flicker; where the
picture moves the new mask is taken as it is, so nothing lags or ghosts. Float throughout: an 8-bit average stops
short of its target (the peers' bit-shift filters show that as a permanent rim).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

STILL = 3.0
MOVING = 12.0
"""Mean luminance changes over `NEAR` pixels, in steps of 255: up to STILL it is sensor noise (σ 4 of a webcam in room
light leaves 1.4 at the size of `hd`'s masks), from MOVING on it is motion. What other values of these constants give
stands in BENCHMARKS.md, "What the matte adds"."""

NEAR = 3
"""Side of the neighbourhood in mask pixels: single noisy pixels are no motion, but beside what moves edges lag."""

KEEP = 0.75
"""Share of the old mask where nothing moves: 0.75 is what Jitsi Meet's float average uses."""

CERTAIN = 0.5
"""A change of the mask larger than this is less and less flicker and, from twice this on, an event (somebody enters in
clothes of the wall's colour): it is taken at once. With 0.35 sleeves before a bed flickered."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the smoothing remembers of the last frame: its mask and luminance, both at mask size."""

    alpha: NDArray[np.float32]
    luminance: NDArray[np.uint8]


def steady(
    alpha: NDArray[np.float32], luminance: NDArray[np.uint8], memory: Memory | None
) -> tuple[NDArray[np.float32], Memory]:
    """Smooth a mask in time.

    Args:
        alpha: float32 (h, w) in [0, 1], the network's mask of this frame.
        luminance: uint8 (h, w), this frame's luminance at mask size.
        memory: what the last call returned, None at the start or after a cut.

    Returns:
        The mask to use, float32 (h, w) in [0, 1], a new array, and the memory for the next call.
    """
    if memory is None or memory.alpha.shape != alpha.shape:
        memory = Memory(alpha.copy(), luminance.copy())
        return memory.alpha, memory
    change = cv2.blur(cv2.absdiff(luminance, memory.luminance), (NEAR, NEAR)).astype(np.float32)
    motion = np.clip((change - STILL) * (1 / (MOVING - STILL)), 0, 1)
    difference = alpha - memory.alpha
    event = np.clip(np.abs(difference) * (1 / CERTAIN) - 1, 0, 1)
    take = np.maximum(motion, event)
    take *= KEEP
    take += 1 - KEEP
    take *= difference
    take += memory.alpha
    return take, Memory(take, luminance.copy())
