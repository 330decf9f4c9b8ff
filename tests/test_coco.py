"""The masks of COCO's annotators: whole people alone, at the size of the picture that was gathered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="only where networks are trained")

from models.training.coco import draw, number_of, people, read_annotations

SQUARE = [10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]
RIGHT = [40.0, 0.0, 60.0, 0.0, 60.0, 40.0, 40.0, 40.0]


def annotation(number: int, image: int, category: int, polygon: list[float], crowd: int = 0) -> dict[str, Any]:
    drawn = {"counts": [0, 10, 3190], "size": [40, 80]} if crowd else [polygon]
    return {"id": number, "image_id": image, "category_id": category, "segmentation": drawn, "iscrowd": crowd}


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    images = [{"id": number, "width": 80, "height": 40, "file_name": f"{number:012}.jpg"} for number in (1, 2, 3)]
    drawn = [annotation(1, 1, 1, SQUARE), annotation(2, 1, 1, RIGHT), annotation(3, 1, 2, [0, 0, 80, 0, 80, 9, 0, 9])]
    drawn += [annotation(4, 2, 1, SQUARE), annotation(5, 2, 1, [], crowd=1), annotation(6, 3, 2, SQUARE)]
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "bench"}]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": drawn, "categories": categories}))
    return path


def test_a_mask_holds_everybody_and_nothing_else(annotations: Path) -> None:
    mask = people(read_annotations(annotations), 1)
    assert mask is not None and mask.shape == (40, 80) and set(np.unique(mask)) == {0, 255}
    assert mask[20, 20] == mask[20, 50] == 255
    assert mask[5, 20] == mask[20, 70] == 0


@pytest.mark.parametrize("number", [2, 3, 4], ids=["a crowd in one", "nobody", "not theirs"])
def test_there_is_no_mask_where_not_everybody_is_drawn(annotations: Path, number: int) -> None:
    assert people(read_annotations(annotations), number) is None


def test_a_picture_is_known_by_its_number_wherever_it_lies() -> None:
    assert number_of("data/val2017/000000000139.jpg") == number_of("COCO_val2014_000000000139.jpg") == 139
    assert number_of("images/139.jpg") is None


def test_masks_are_as_large_as_the_gathered_pictures(annotations: Path, tmp_path: Path) -> None:
    listed, data = tmp_path / "list.csv", tmp_path / "data"
    rows = [f"p_{n}.jpg,a/b@00000000 x/{n:012}.jpg,CC-BY-2.0 (COCO)" for n in (1, 2)]
    listed.write_text("\n".join(["file,source,licence", *rows]))
    (data / "images").mkdir(parents=True)
    for number in (1, 2):
        cv2.imwrite(str(data / "images" / f"p_{number}.jpg"), np.zeros((20, 40, 3), np.uint8))
    assert [path.name for path in draw(listed, [annotations], data)] == ["p_1.png"]
    mask = cv2.imread(str(data / "masks" / "p_1.png"), cv2.IMREAD_GRAYSCALE)
    assert mask is not None and mask.shape == (20, 40)
    assert mask[10, 10] == 255 and mask[2, 2] == 0
    assert not list(draw(listed, [annotations], data)), "what is there is left as it is"
