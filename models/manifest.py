"""The model manifest: what each network file is, as data (`manifest.toml`), checked before it is used.

A network is never recognised by its file name or fetched from anywhere: it is an entry here, with its hash, or it is
refused. Pre- and post-processing are read from the entry too, so a new network needs no new code.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
MANIFEST = FOLDER / "manifest.toml"


class ModelError(Exception):
    """A model cannot be used; the message says why and what cures it."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a network: a picture `height` × `width`, as the network wants or gives it.

    `layout` is "NHWC", `dtype` "uint8" or "float32", `range` the values' closed interval. `colour` is "BGR" for the
    input picture and "" for the alpha.
    """

    name: str
    width: int
    height: int
    layout: str
    dtype: str
    range: tuple[float, float]
    colour: str = ""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The tensor's shape with batch 1."""
        return (1, self.height, self.width, 3 if self.colour else 1)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a network: `format` "onnx" or "tflite", `precision` "fp32", "fp16" or "int8"."""

    format: str
    precision: str
    path: Path
    sha256: str

    def verify(self) -> Path:
        """Return the path once the file's hash is the manifest's.

        Raises:
            ModelError: the file is missing, or is not the one the manifest names.
        """
        cure = "reinstall Greenroom, or restore the file from the repository"
        if not self.path.is_file():
            raise ModelError(f"{self.path} is missing: {cure}")
        found = hashlib.sha256(self.path.read_bytes()).hexdigest()
        if found != self.sha256:
            raise ModelError(
                f"{self.path.name} is not the file the manifest names (sha256 {found[:12]}…, "
                f"expected {self.sha256[:12]}…), so it is refused: {cure}"
            )
        return self.path


@dataclass(frozen=True, slots=True)
class Model:
    """One network of the manifest; `tier` is its class of cost ("lite", "hd"), `card` its model card's path."""

    name: str
    tier: str
    summary: str
    licence: str
    training_data: str
    card: Path
    input: TensorSpec
    output: TensorSpec
    files: tuple[ModelFile, ...]

    def file(self, format: str, precision: str = "fp32") -> ModelFile:
        """The network's file in this format and precision.

        Raises:
            ModelError: the manifest has none; the message lists what there is.
        """
        for file in self.files:
            if (file.format, file.precision) == (format, precision):
                return file
        have = ", ".join(f"{f.format} {f.precision}" for f in self.files)
        raise ModelError(f"model {self.name!r} has no {format} {precision} file; it has: {have}")


def _tensor(entry: dict[str, Any]) -> TensorSpec:
    low, high = entry.pop("range")
    return TensorSpec(range=(low, high), **entry)


def _model(entry: dict[str, Any], folder: Path) -> Model:
    files = tuple(ModelFile(f["format"], f["precision"], folder / f["path"], f["sha256"]) for f in entry.pop("file"))
    return Model(
        card=folder / entry.pop("card"),
        input=_tensor(entry.pop("input")),
        output=_tensor(entry.pop("output")),
        files=files,
        **entry,
    )


def read_manifest(path: Path = MANIFEST) -> dict[str, Model]:
    """Read a manifest; the keys are the models' names, in the file's order.

    Raises:
        ModelError: the file cannot be read, or an entry lacks a field or has one nobody knows.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["model"]
        models = [_model(entry, path.parent) for entry in entries]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as a model manifest: {error!r}. Reinstall Greenroom.") from error
    return {model.name: model for model in models}


@cache
def manifest() -> dict[str, Model]:
    """The shipped models by name."""
    return read_manifest()


def get_model(name: str) -> Model:
    """The shipped model of this name.

    Raises:
        ModelError: there is none; the message lists the names there are.
    """
    try:
        return manifest()[name]
    except KeyError:
        raise ModelError(f"there is no model {name!r}; choose one of: {', '.join(manifest())}") from None
