"""Write a network's faster files after `export`: `python -m models.training.variants --config lite --data CLIPS`.

- `<name>-fp16.onnx`: 16-bit inside, for GPUs; any number of pictures at once.
- `<name>-int8.onnx`: 8-bit inside, in the QDQ form that ONNX Runtime and OpenVINO (CPU, GPU, NPU) take.
- `<name>-int8.tflite`: the same for XNNPACK.

8-bit ranges are taken from composites of people who were not trained on. The last sigmoid and what goes before the
first convolution stay 32-bit: they cost nothing, and an alpha of 256 steps would band. So does the first depthwise
convolution, whose channels' ranges differ too much for one scale: alone it cost `lite` 0.3 of J and 0.6 of F. The
stem and all of the first stage do: with the depthwise one alone `hd` lost 0.2 of J and 0.7 of F in the ONNX file. What
softens the picture before them does likewise.

With --data each file is scored on clips beside the 32-bit one, and only those as good, within `WORSE`, are named in the
manifest; the others go.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import qtyping, quantizer, recipe
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from models.evaluation.clips import find_clips, mean, score_clip
from models.evaluation.ours import open_own
from models.manifest import FOLDER, MANIFEST
from models.training.config import Config, read_config
from models.training.data import Composites, split
from models.training.export import name_in_manifest
from models.training.pool import read_pool

CALIBRATION = 128
"""Composites to take the ranges from: what a quarter of a minute can draw and run."""
FIRST_LAYERS = ("/soften/", "/encoder/stem/", "/encoder/stages.0/")
"""The layers that stay 32-bit, by the beginnings of their nodes' names in the ONNX file."""
WORSE = {"j": 0.3, "f": 0.5}
"""How far J and F may lie below the 32-bit file's, in percent, for a file to ship (the bar of the `hd` issue)."""


class _Pictures(CalibrationDataReader):
    """Composites in the form ONNX Runtime asks for them."""

    def __init__(self, pictures: list[NDArray[np.uint8]]) -> None:
        self._rest: Iterator[NDArray[np.uint8]] = iter(pictures)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        picture = next(self._rest, None)
        return None if picture is None else {"image": picture}


def composites(config: Config, pool: Path) -> list[NDArray[np.uint8]]:
    """Pictures (1, h, w, 3) of people whom no training saw."""
    people, rooms = read_pool(pool)
    data = Composites(split(people)[1], rooms, config)
    return [data[number][0].numpy()[None] for number in range(CALIBRATION)]


def write_fp16(source: Path, path: Path) -> None:
    """16-bit weights and arithmetic; the picture and the alpha stay uint8 and float32. The batch is free."""
    model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]
    onnx.save(model, path)


def write_int8_onnx(source: Path, path: Path, pictures: list[NDArray[np.uint8]]) -> None:
    """8-bit weights, each output channel with its own scale, and 8-bit tensors between the layers."""
    prepared = path.with_suffix(".prepared")
    quant_pre_process(source, prepared)
    nodes = onnx.load(prepared).graph.node
    whole = [node.name for node in nodes if node.op_type in ("Sigmoid", "Sub", "Cast", "Transpose")]
    whole += [node.name for node in nodes if node.name.startswith(FIRST_LAYERS)]
    quantize_static(
        prepared,
        path,
        _Pictures(pictures),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"CalibMovingAverage": True},  # of 128 pictures one's outlier would widen a range for all
        nodes_to_exclude=whole,
    )
    prepared.unlink()


def write_int8_tflite(source: Path, path: Path, pictures: list[NDArray[np.uint8]]) -> None:
    """The same as a TFLite file."""
    quantiser = quantizer.Quantizer(str(source), recipe.static_wi8_ai8())
    names = qtyping.TFLOperationName
    for operation in (names.LOGISTIC, names.SUB, names.INPUT, names.OUTPUT):
        quantiser.update_quantization_recipe(".*", operation, algorithm_key="no_quantize")
    first = ".*(Softener_soften|Convolution_stem|Sequential_0/[^/]*InvertedResidual_0).*"
    for operation in (names.CONV_2D, names.DEPTHWISE_CONV_2D, names.PAD, names.ADD, names.MUL):
        quantiser.update_quantization_recipe(first, operation, algorithm_key="no_quantize")
    [(signature, tensors)] = Interpreter(str(source)).get_signature_list().items()
    ranges = quantiser.calibrate({signature: [{tensors["inputs"][0]: picture} for picture in pictures]})
    quantiser.quantize(ranges).export_model(str(path), overwrite=True)
    path.chmod(0o644)


def main() -> None:
    """Write the files; score them; name those that may ship."""
    parser = argparse.ArgumentParser(prog="python -m models.training.variants", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--config", required=True, help="a name in models/training/configs")
    parser.add_argument("--name", help="the model's, unless it is the configuration's")
    parser.add_argument("--pool", type=Path, default=Path(".work/pool"), help="what `prepare` wrote")
    parser.add_argument("--runs", type=Path, default=Path(".work/runs"), help="where `export` left the whole files")
    parser.add_argument("--weights", type=Path, default=FOLDER / "weights", help="where the files go")
    parser.add_argument("--data", type=Path, required=True, help="clips with true alpha to compare on")
    args = parser.parse_args()
    config = read_config(args.config)
    base = args.weights / (args.name or config.name)
    pictures = composites(config, args.pool)
    whole_path = args.runs / config.name / base.name
    onnx_path, tflite_path = whole_path.with_suffix(".onnx"), whole_path.with_suffix(".tflite")
    made = [base.with_name(f"{base.name}-{rest}") for rest in ("fp16.onnx", "int8.onnx", "int8.tflite")]
    write_fp16(onnx_path, made[0])
    write_int8_onnx(onnx_path, made[1], pictures)
    write_int8_tflite(tflite_path, made[2], pictures)
    clips = find_clips(args.data)
    whole, *scores = (mean([score_clip(open_own(str(p)), clip) for clip in clips]) for p in (onnx_path, *made))
    print(f"{f'{base.name}.onnx':20} J {whole.j:.2f}  F {whole.f:.2f}  dtSSD {whole.dtssd:.2f}")
    for path, score in zip(made, scores, strict=True):
        good = all(getattr(score, figure) >= getattr(whole, figure) - much for figure, much in WORSE.items())
        size = f"{path.stat().st_size / 1e6:.2f} MB"
        print(
            f"{path.name:20} J {score.j:.2f}  F {score.f:.2f}  dtSSD {score.dtssd:.2f}  {size}{'' if good else ': no'}"
        )
        if not good:
            path.unlink()
        elif args.weights == FOLDER / "weights":
            name_in_manifest(path, MANIFEST)


if __name__ == "__main__":
    main()
