"""Our networks: their files, how they are fed, how they were trained and measured."""

import os
import sys

# As `backends.telemetry`, for training and measuring, which import runtimes themselves.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
