"""What `make run` does first on a machine that lacks something."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SETUP = Path(__file__).parents[1] / "packaging" / "setup.sh"


def test_a_full_disk_is_named_with_its_cure_before_anything_is_installed(tmp_path: Path) -> None:
    df = tmp_path / "df"
    df.write_text("#!/bin/sh\necho Filesystem 1M-blocks Used Available\necho disk 90000 89000 1000\n")
    df.chmod(0o755)
    done = subprocess.run(
        ["bash", SETUP, ".venv", "packaging/requirements.lock"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "2600 MB" in done.stderr and "1000 MB left" in done.stderr and "Free some" in done.stderr
    assert not (tmp_path / ".venv").exists()
