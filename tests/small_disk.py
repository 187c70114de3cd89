"""A disk that fills up soon: a tmpfs of a stated size."""

import os
import subprocess
from pathlib import Path


class Disk:
    """A disk of a stated size."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._mount("size=64m")

    def resize(self, size: str) -> None:
        """Make it smaller or larger."""
        self._mount(f"remount,size={size}")

    def leave_free(self, size: int) -> None:
        """Leave so many bytes free, and a part of a page at most."""
        found = os.statvfs(self.path)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        self.resize(str(used + size))

    def protect(self) -> None:
        """Let nothing more be written."""
        self._mount("remount,ro")

    def allow(self) -> None:
        """Let it be written again."""
        self._mount("remount,rw")

    def remove(self) -> None:
        """Take it away."""
        subprocess.run(["umount", str(self.path)], check=True)

    def _mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "histo-test", str(self.path)]
        subprocess.run(command, check=True, capture_output=True)
