"""Write tiles, and keep a journal from which a stopped run goes on."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from histocli.atomic_files import write_bytes
from histocli.data.png import encode_png


def write_tile(path: Path, pixels: NDArray[np.uint8]) -> str:
    """Write one tile as PNG atomically; the SHA-256 of the file is returned."""
    content = encode_png(pixels)
    write_bytes(path, content, durable=False)
    return hashlib.sha256(content).hexdigest()


class Journal:
    """One JSON object a line and tile, appended as work is done.

    A line that was cut when the process died is passed over, so what it named is done again.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.entries: dict[str, dict[str, Any]] = {}
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines():
            try:
                entry = json.loads(line)
                self.entries[entry["tile"]] = entry
            except (ValueError, KeyError, TypeError):
                continue
        self._file = path.open("ab")
        self._file.truncate(len(whole))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Record finished tiles; on disk when this returns."""
        for entry in entries:
            self.entries[entry["tile"]] = dict(entry)
            self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def remove(self) -> None:
        """Delete the journal once its content stands in the final files."""
        self._file.close()
        self.path.unlink(missing_ok=True)
