"""A contact sheet: hard pictures at 100 %, ours beside the peers', laid on green by what each network found.

    python -m models.evaluation.sheet lite selfie-landscape pp-humanseg rvm --peers ../shared/weights \\
        --rows models/cards/sheet.csv --pictures .work/sheet/images --out models/cards/sheet.jpg

Each network gets the whole picture, as a camera would give it, and each cell shows the same detail of it, pixel by
pixel. The rows are a csv with the columns file, left and top (of the detail), source and licence: only pictures whose
licence lets them be shown belong there.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.__main__ import open_network

Picture = NDArray[np.uint8]
GREEN = (96, 177, 0)
"""BGR of what is cut away: far from skin, hair and most clothes, and not so bright that edges drown in it."""
LINE = (80, 255, 0)
PAPER, INK = 255, (40, 40, 40)
GAP, HEAD = 4, 24
DETAIL = (300, 225)
"""Width and height of a cell: five fit beside each other on a page that a reader sees unscaled."""
JPEG_QUALITY = 88
"""0.5 MB; a PNG of photographs is four times as large and shows no more."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True)
class Row:
    """A name and the pictures of one row, uint8 BGR, all of one size."""

    name: str
    pictures: list[Picture]


def _fitted(matte: NDArray[np.float32], picture: Picture) -> NDArray[np.float32]:
    height, width = picture.shape[:2]
    return np.asarray(cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def outlined(picture: Picture, matte: NDArray[np.float32]) -> Picture:
    """The picture, what the matte leaves out darkened, its outline drawn at half."""
    mask = (_fitted(matte, picture) > 0.5).astype(np.uint8)
    shown = np.where(mask[..., None] > 0, picture, picture // 3).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(shown, outlines, -1, LINE, 1), np.uint8)


def on_green(picture: Picture, matte: NDArray[np.float32]) -> Picture:
    """The picture laid over plain green by the matte."""
    share = np.clip(_fitted(matte, picture), 0, 1)[..., None]
    return np.rint(picture * share + np.array(GREEN, np.float32) * (1 - share)).astype(np.uint8)


def write_sheet(path: Path, titles: Sequence[str], rows: Sequence[Row], cell: tuple[int, int] = (256, 192)) -> None:
    """Write rows of pictures as one file, a column a title; what exceeds the cell (width, height) is made smaller."""
    width, height = cell
    whole = np.full((HEAD + len(rows) * (height + GAP), len(titles) * (width + GAP) - GAP, 3), PAPER, np.uint8)
    for column, title in enumerate(titles):
        cv2.putText(whole, title, (column * (width + GAP) + 4, HEAD - 8), FONT, 0.5, INK, 1, cv2.LINE_AA)
    for number, row in enumerate(rows):
        top = HEAD + number * (height + GAP)
        for column, picture in enumerate(row.pictures):
            scale = min(1.0, width / picture.shape[1], height / picture.shape[0])
            if scale < 1:
                picture = np.asarray(
                    cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
                )
            h, w = picture.shape[:2]
            left = column * (width + GAP)
            whole[top : top + h, left : left + w] = picture
        if row.name:
            cv2.putText(whole, row.name, (4, top + height - 6), FONT, 0.45, (0, 255, 255), 1, cv2.LINE_AA)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(path), whole, options):
        raise OSError(f"{path} cannot be written: name a folder that exists and end in .png or .jpg")


def detail(picture: Picture, left: int, top: int) -> Picture:
    """The part of a picture that a cell shows."""
    return picture[top : top + DETAIL[1], left : left + DETAIL[0]]


def main() -> int:
    """Write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.sheet", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="ours, an .onnx or .tflite file, or a peer: the columns"
    )
    parser.add_argument("--peers", type=Path, required=True, help="the folder with the peers' files")
    parser.add_argument("--rows", type=Path, required=True, help="csv: file, left, top, source, licence")
    parser.add_argument("--pictures", type=Path, required=True, help="the folder with the files that it names")
    parser.add_argument("--out", type=Path, required=True, help=".jpg")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows = []
    with args.rows.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            picture = cv2.imread(str(args.pictures / line["file"]))
            if picture is None:
                print(f"{args.pictures / line['file']} is missing: take it from {line['source']}", file=sys.stderr)
                return 1
            left, top = int(line["left"]), int(line["top"])
            cells = [detail(np.asarray(picture, np.uint8), left, top)]
            for name in args.models:
                matte = open_network(name, args.peers)(picture)  # opened anew: RVM remembers
                cells += [detail(on_green(picture, matte), left, top)]
            rows += [Row("", cells)]
    write_sheet(args.out, ["picture", *(Path(name).stem for name in args.models)], rows, DETAIL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
