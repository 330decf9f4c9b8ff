"""Export a trained network to the files that ship: `python -m models.training.export --config lite`.

The averaged weights are folded, rounded to 16-bit values (but stored as 32-bit floats, which every runtime takes; the
rounding lets them be packed to half), written as ONNX and TFLite, compared with what torch gives, and named in the
manifest by their hashes. The unfolded network is kept in `models/training/kept` for a later training to start from.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import warnings
from pathlib import Path

import litert_torch
import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from models.architectures.segmenter import Deployed, Segmenter
from models.evaluation.ours import open_session
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


def deployed(network: Segmenter) -> Deployed:
    """The network as it ships, its weights rounded."""
    module = Deployed(network).eval()
    with torch.no_grad():
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


def run_onnx(path: Path, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run the ONNX file on one picture, (1, h, w, 3)."""
    alpha: NDArray[np.float32] = open_session(path, 1).run(["alpha"], {"image": picture})[0]
    return alpha


def run_tflite(path: Path, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The same with the TFLite file."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    alpha: NDArray[np.float32] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return alpha


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
    parser.add_argument("--runs", type=Path, default=Path(".work/runs"), help="where the run's checkpoint is")
    parser.add_argument("--weights", type=Path, default=FOLDER / "weights", help="where the files go")
    args = parser.parse_args()
    config = read_config(args.config)
    name = args.name or config.name
    network = trained(config, args.runs / config.name / CHECKPOINT)
    module = deployed(network)
    picture = paint_person(config.width, config.height, 0)[0][None]
    with torch.no_grad():
        expected = module(torch.from_numpy(picture)).numpy()
    args.weights.mkdir(parents=True, exist_ok=True)
    onnx_path, tflite_path = args.weights / f"{name}.onnx", args.weights / f"{name}.tflite"
    write_onnx(module, torch.from_numpy(picture), onnx_path)
    litert_torch.convert(module, (torch.from_numpy(picture),)).export(str(tflite_path))
    for path, run in ((onnx_path, run_onnx), (tflite_path, run_tflite)):
        error = float(np.abs(run(path, picture) - expected).max())
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
