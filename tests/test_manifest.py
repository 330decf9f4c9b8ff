"""The manifest: what it says is what the shipped files are, and what is wrong in it is refused with the cure."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backends import get_backend
from models.manifest import FOLDER, ModelError, get_model, manifest, read_manifest

ENTRY = """
[[model]]
name = "tiny"
tier = "lite"
summary = "a test"
licence = "GPL-2.0-or-later"
training_data = "none"
card = "tiny.md"
input = { name = "image", width = 8, height = 4, layout = "NHWC", dtype = "uint8", range = [0, 255], colour = "BGR" }
output = { name = "alpha", width = 8, height = 4, layout = "NHWC", dtype = "float32", range = [0, 1] }
file = [{ format = "onnx", precision = "fp32", path = "tiny.onnx", sha256 = "SHA" }]
"""
EMPTY_SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def write(folder: Path, text: str) -> Path:
    path = folder / "manifest.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shipped_file_has_its_hash() -> None:
    files = [file for model in manifest().values() for file in model.files]
    assert files
    for file in files:
        assert file.verify() == file.path


def test_every_shipped_model_has_a_card_that_names_it() -> None:
    for model in manifest().values():
        assert f"`{model.name}`" in model.card.read_text(encoding="utf-8")


def test_every_weights_file_is_in_the_manifest() -> None:
    named = {file.path for model in manifest().values() for file in model.files}
    assert {path for path in (FOLDER / "weights").iterdir() if path.suffix in (".onnx", ".tflite")} == named


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "litert"])
def test_the_files_tensors_are_the_manifests(name: str) -> None:
    backend = get_backend(name)
    for model in manifest().values():
        session = backend.load(model.file(backend.FORMAT).path, "CPU", 1)
        assert (session.input.shape, str(session.input.dtype)) == (model.input.shape, model.input.dtype)
        assert (session.output.shape, str(session.output.dtype)) == (model.output.shape, model.output.dtype)
        session.close()


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    file = get_model("lite").file("onnx")
    copy = tmp_path / "lite.onnx"
    shutil.copy(file.path, copy)
    with copy.open("r+b") as handle:
        handle.seek(1000)
        handle.write(b"changed")
    changed = type(file)(file.format, file.precision, copy, file.sha256)
    with pytest.raises(ModelError, match=r"not the file the manifest names.*reinstall"):
        changed.verify()


def test_a_missing_file_is_refused_with_the_cure(tmp_path: Path) -> None:
    model = read_manifest(write(tmp_path, ENTRY))["tiny"]
    with pytest.raises(ModelError, match="is missing: reinstall"):
        model.file("onnx").verify()


def test_a_right_file_passes(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").touch()
    model = read_manifest(write(tmp_path, ENTRY.replace("SHA", EMPTY_SHA)))["tiny"]
    assert model.file("onnx").verify() == tmp_path / "tiny.onnx"
    assert model.input.shape == (1, 4, 8, 3)
    assert model.output.shape == (1, 4, 8, 1)


def test_an_unknown_precision_names_those_there_are(tmp_path: Path) -> None:
    model = read_manifest(write(tmp_path, ENTRY))["tiny"]
    with pytest.raises(ModelError, match="no tflite int8 file; it has: onnx fp32"):
        model.file("tflite", "int8")


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        "",
        ENTRY.replace('tier = "lite"\n', ""),
        ENTRY + 'surprise = "field"\n',
        ENTRY.replace("[0, 255]", "[0]"),
    ],
)
def test_a_broken_manifest_is_refused_with_the_cure(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError, match=r"cannot be read as a model manifest.*Reinstall"):
        read_manifest(write(tmp_path, text))


def test_an_unknown_model_names_those_there_are() -> None:
    with pytest.raises(ModelError, match=r"no model 'nobody'; choose one of: .*lite"):
        get_model("nobody")
