"""A shop on SQLite is killed at every I/O boundary, and heals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from payfulfill.sandbox import Sandbox

DRIVER = Path(__file__).with_name("driver.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_every_boundary_and_healed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(seed=1) as sandbox:
        done = subprocess.run(
            [sys.executable, "-W", "error", DRIVER, tmp_path, sandbox.url, sandbox.api_key],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    with capsys.disabled():
        sys.stdout.write(f"\nkilled at {report['points']}, and {report['killed_twice']} pairs\n")
    # Fewer would mean that the instruments have come off.
    assert report["points"]["buying"] >= 30
    assert report["points"]["hearing"] >= 40
