"""Export a trained network to the files that ship: `python -m models.training.export --config lite`.

The averaged weights are folded, the configuration's offset is added to the mask's logits, they are rounded to 16-bit
values, written as ONNX and TFLite, compared with what torch gives, and named in the manifest by their hashes. The files
hold 16-bit weights which every runtime widens when it loads them: half the size, and the arithmetic stays 32-bit. The
unfolded network, without the offset, is kept in `models/training/kept` for a later training to start from; the files
before they were packed stay in the run's folder under the model's name, for `variants`.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import re
import warnings
from pathlib import Path

import litert_torch
import numpy as np
import onnx
import torch
from ai_edge_quantizer import qtyping, quantizer

from models.architectures.segmenter import Deployed, Segmenter
from models.evaluation.ours import open_file
from models.manifest import FOLDER, MANIFEST
from models.training.config import Config, read_config
from models.training.figure import paint_person
from models.training.train import CHECKPOINT, KEPT

AGREE = 1e-3
"""How far a file's alpha may be from torch's."""


def trained(config: Config, checkpoint: Path) -> Segmenter:
    """The network with a checkpoint's averaged weights."""
    network = Segmenter(config.shape).eval()
    network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["average"])
    return network


def deployed(network: Segmenter, offset: float = 0.0) -> Deployed:
    """The network as it ships: `offset` added to its mask's logits, its weights rounded; 0 to compare architectures."""
    module = Deployed(network).eval()
    with torch.no_grad():
        module.network.head.bias += offset
        for parameter in module.parameters():
            parameter.copy_(parameter.half().float())
    return module


def write_onnx(module: Deployed, example: torch.Tensor, path: Path) -> None:
    """Write the ONNX file: input "image", output "alpha", batch 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter by tracing is deprecated; the new one needs a package more
        torch.onnx.export(
            module, (example,), str(path), dynamo=False, input_names=["image"], output_names=["alpha"], opset_version=17
        )
    onnx.checker.check_model(onnx.load(path), full_check=True)


def pack_onnx(source: Path, path: Path) -> None:
    """Store the convolutions' weights in 16 bits, each with the cast that widens it again."""
    model = onnx.load(source)
    casts = []
    for tensor in [t for t in model.graph.initializer if len(t.dims) == 4]:
        values = onnx.numpy_helper.to_array(tensor)
        model.graph.initializer.remove(tensor)
        packed = onnx.numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}.packed")
        model.graph.initializer.append(packed)
        casts.append(onnx.helper.make_node("Cast", [packed.name], [tensor.name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def pack_tflite(source: Path, path: Path) -> None:
    """The same in a TFLite file."""
    weights = qtyping.TensorQuantizationConfig(
        num_bits=16,
        granularity=qtyping.QuantGranularity.TENSORWISE,
        dtype=qtyping.TensorDataType.FLOAT,
    )
    how = qtyping.OpQuantizationConfig(
        weight_tensor_config=weights, compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True
    )
    packer = quantizer.Quantizer(str(source))
    packer.update_quantization_recipe(".*", qtyping.TFLOperationName.ALL_SUPPORTED, how, "float_casting")
    packer.quantize(enable_progress_report=False).export_model(str(path), overwrite=True)
    path.chmod(0o644)


def name_in_manifest(path: Path, manifest: Path) -> None:
    """Put the file's hash into its line of the manifest.

    Raises:
        ValueError: the manifest does not name the file.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    line = rf'(path = "{re.escape(f"weights/{path.name}")}", sha256 = ")[0-9a-f]*(")'
    text, count = re.subn(line, rf"\g<1>{digest}\g<2>", manifest.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f'{manifest} has to name path = "weights/{path.name}", sha256 = "…" once: add the entry')
    manifest.write_text(text, encoding="utf-8")


def main() -> None:
    """Write, compare and name the files."""
    parser = argparse.ArgumentParser(prog="python -m models.training.export", description=__doc__)
    parser.add_argument("--config", required=True, help="a name in models/training/configs")
    parser.add_argument("--name", help="the model's, unless it is the configuration's")
    parser.add_argument("--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="unless the configuration's")
    parser.add_argument("--offset", type=float, help="added to the mask's logits, unless the configuration's")
    parser.add_argument("--runs", type=Path, default=Path(".work/runs"), help="where the run's checkpoint is")
    parser.add_argument("--weights", type=Path, default=FOLDER / "weights", help="where the files go")
    args = parser.parse_args()
    config = read_config(args.config)
    if args.size:  # convolutions take any size
        config = dataclasses.replace(config, width=args.size[0], height=args.size[1])
    name = args.name or config.name
    network = trained(config, args.runs / config.name / CHECKPOINT)
    module = deployed(network, config.offset if args.offset is None else args.offset)
    picture = paint_person(config.width, config.height, 0)[0][None]
    with torch.no_grad():
        expected = module(torch.from_numpy(picture)).numpy()
    args.weights.mkdir(parents=True, exist_ok=True)
    onnx_path, tflite_path = args.weights / f"{name}.onnx", args.weights / f"{name}.tflite"
    whole = args.runs / config.name / name
    write_onnx(module, torch.from_numpy(picture), whole.with_suffix(".onnx"))
    litert_torch.convert(module, (torch.from_numpy(picture),)).export(str(whole.with_suffix(".tflite")))
    pack_onnx(whole.with_suffix(".onnx"), onnx_path)
    pack_tflite(whole.with_suffix(".tflite"), tflite_path)
    for path in (onnx_path, tflite_path):
        error = float(np.abs(open_file(path)[0](picture) - expected).max())
        if error > AGREE:
            raise RuntimeError(f"{path.name} differs from torch by {error:.1e}, more than {AGREE}: do not ship it")
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, differs from torch by {error:.1e} at most")
    if args.weights == FOLDER / "weights":
        name_in_manifest(onnx_path, MANIFEST)
        name_in_manifest(tflite_path, MANIFEST)
        KEPT.mkdir(exist_ok=True)
        torch.save({key: tensor.half() for key, tensor in network.state_dict().items()}, KEPT / f"{name}.pt")


if __name__ == "__main__":
    main()
