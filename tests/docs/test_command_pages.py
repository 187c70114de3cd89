"""The pages of the commands are what --help says now."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_pages_are_what_help_says() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate_commands.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
