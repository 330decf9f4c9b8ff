"""A painted person: a picture on which every segmenter has something to say, for checks that have no photograph.

`python -m models.training.figure hd lite` prints what networks make of twelve of them.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.__main__ import open_network
from models.evaluation.metrics import region

FIGURES = 12
SIZE = (384, 216)
"""Width and height at which the figures are painted and scored."""


def paint_person(width: int, height: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Paint a head and shoulders before a colourful wall, with a camera's noise.

    Returns:
        uint8 BGR (height, width, 3), and where the person is, (height, width).
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    waves = [np.sin(x * rng.uniform(2, 30) + rng.uniform(0, 6)) * np.cos(y * rng.uniform(2, 30)) for _ in range(3)]
    picture = 120 + 60 * np.stack(waves, -1)
    across = x - width / height * rng.uniform(0.4, 0.6)
    body = (across / 0.42) ** 2 + ((y - 1.11) / 0.52) ** 2 < 1
    neck = (np.abs(across) < 0.083) & (y > 0.45) & (y < 0.7)
    head = (across / 0.167) ** 2 + ((y - 0.36) / 0.222) ** 2 < 1
    hair = ((across / 0.194) ** 2 + ((y - 0.29) / 0.236) ** 2 < 1) & (y < 0.32)
    eyes = ((np.abs(across) - 0.063) / 0.028) ** 2 + ((y - 0.35) / 0.017) ** 2 < 1
    mouth = (np.abs(across) < 0.056) & (np.abs(y - 0.47) < 0.014)
    colours = (rng.uniform(30, 200, 3), (130, 160, 215), (25, 35, 50), (40, 40, 50), (90, 80, 180))
    for part, colour in zip((body, neck | head, hair, eyes, mouth), colours, strict=True):
        picture[part] = colour
    picture = cv2.GaussianBlur(picture, (0, 0), height / 144) + rng.normal(0, 4, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8), body | neck | head | hair


def main() -> None:
    """Print each network's mean and least J, in percent."""
    parser = argparse.ArgumentParser(prog="python -m models.training.figure", description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="ours, an .onnx or .tflite file, likewise with :raw")
    for name in parser.parse_args().models:
        matting, scores = open_network(name, None), []
        for seed in range(FIGURES):
            picture, truth = paint_person(*SIZE, seed)
            scores.append(100 * region(cv2.resize(matting(picture), SIZE) > 0.5, truth))
        print(f"{name}: J {np.mean(scores):.1f}, at least {min(scores):.1f}")


if __name__ == "__main__":
    main()
