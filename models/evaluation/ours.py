"""Our own networks, opened from their files alone: by a name in the manifest, or the path of any such file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.manifest import Model, ModelError, TensorSpec, get_model
from models.segmenter import Segmenter

Matting = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
FORMATS = (".onnx", ".tflite")


def open_session(path: Path, threads: int) -> ort.InferenceSession:
    """Open a network on onnxruntime's CPU provider.

    Raises:
        ModelError: the file is not there.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing: name the folder that holds it with --peers or --teachers")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _onnx(path: Path) -> tuple[Callable[[NDArray[Any]], NDArray[Any]], tuple[int, ...]]:
    session = open_session(path, 1)
    image, alpha = session.get_inputs()[0], session.get_outputs()[0].name
    shape = tuple(side if isinstance(side, int) else 1 for side in image.shape)
    return lambda picture: session.run([alpha], {image.name: picture})[0], shape


def open_tflite(path: Path, threads: int) -> tuple[Callable[[NDArray[Any]], NDArray[Any]], tuple[int, ...]]:
    """A TFLite file on XNNPACK as a function of its one input to its one output, and the input's shape.

    Raises:
        ModelError: the file is not there.
    """
    from ai_edge_litert.interpreter import Interpreter

    if not path.is_file():
        raise ModelError(f"{path} is missing: give the path of a .tflite file")
    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    image, alpha = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(picture: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_tensor(image["index"], picture)
        interpreter.invoke()
        answer: NDArray[Any] = interpreter.get_tensor(alpha["index"])
        return answer

    return run, tuple(image["shape"].tolist())


def own_file(name: str) -> Path:
    """The file that a command line means: a path, or the manifest's ONNX file of a model of this name.

    Raises:
        ModelError: there is no such model or file.
    """
    path = Path(name) if name.endswith(FORMATS) else get_model(name).file("onnx").verify()
    if not path.is_file():
        raise ModelError(f"{path} is missing: give the path of an .onnx or .tflite file")
    return path


def open_file(path: Path) -> tuple[Callable[[NDArray[Any]], NDArray[Any]], tuple[int, ...]]:
    """A file's function from a uint8 BGR picture (1, h, w, 3) to its float32 alpha (1, h, w, 1), and that shape."""
    return _onnx(path) if path.suffix == ".onnx" else open_tflite(path, 1)


def _described(height: int, width: int) -> Model:
    """A manifest's entry for a file that has none: the contract is `lite`'s, at another size."""

    def resized(tensor: TensorSpec) -> TensorSpec:
        return dataclasses.replace(tensor, height=height, width=width)

    lite = get_model("lite")
    return dataclasses.replace(lite, input=resized(lite.input), output=resized(lite.output))


def open_own(name: str, settled: bool = True) -> Segmenter:
    """Open one of our networks, on one thread, with the product's own pre- and post-processing.

    Args:
        name: in the manifest, or the path of a file that keeps the contract of `lite`, at any size.
        settled: False leaves out `models.settle`.

    Raises:
        ModelError: there is no such model.
    """
    compute, (_, height, width, _) = open_file(own_file(name))
    model = _described(height, width)
    image, alpha = np.zeros(model.input.shape, np.uint8), np.zeros(model.output.shape, np.float32)

    def run() -> None:
        alpha[...] = compute(image)

    return Segmenter(model, image, alpha, run, settled)
