"""Ruff and mypy are part of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "optimus", "benchmarks", "tests", "app.py"],
        ["mypy", "pages/admin.py", "pages/chat.py", "pages/memory.py", "pages/settings.py", "pages/analytics.py"],
    ],
    ids=" ".join,
)
def test_gate_passes(command):
    """The code passes the linters and the strict type checker."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
