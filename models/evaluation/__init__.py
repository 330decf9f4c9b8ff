"""Measures networks on clips with true alpha: `python -m models.evaluation --help`."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime's, before it is imported: as `backends.telemetry`
