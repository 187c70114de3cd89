"""Commands as processes that begin at once, because everything is imported already."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self


class Warm:
    """Commands as processes that begin at once."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
        self._line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.communicate()

    def begin(self, arguments: Sequence[object], **limits: int) -> int:
        """Begin a command, see ``LIMITS`` in warm.py; the number of its process."""
        words = [str(each) for each in arguments]
        return self._ask({"begin": words, "log": str(self.log), "limits": limits})

    def wait(self, process: int) -> int:
        """Its exit code, negative if a signal ended it."""
        return self._ask({"wait": process})

    def run(self, arguments: Sequence[object]) -> float:
        """Run a command that must end well; its seconds."""
        start = time.perf_counter()
        code = self.wait(self.begin(arguments))
        if code:
            raise AssertionError(f"{arguments} ended with {code}: {self.log.read_text()[-2000:]}")
        return time.perf_counter() - start

    def _ask(self, request: Mapping[str, Any]) -> int:
        if self._server.stdin is None:
            raise AssertionError("the server has pipes")
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        if self._server.stdout is None:
            raise AssertionError("the server has pipes")
        return self._server.stdout.readline().strip()
