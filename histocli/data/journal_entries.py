"""What the journals of all parts say of each tile, without holding it in memory."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from pydantic_core import from_json

from histocli.data.tiles import Tile
from histocli.data.writing import journal_lines

Entry = dict[str, Any]
ABSENT = -1
SHA256_BYTES = 32


class JournalEntries:
    """The last entry of each tile, by the tile's place; a skipped one gives way to a written one.

    Where it stands is remembered, what it says is read again: of a million tiles that is 50 MB.

    Args:
        journals: The files.
        tiles: The table that they belong to.
    """

    def __init__(self, journals: Sequence[Path], tiles: Sequence[Tile]) -> None:
        self._files = [path.open("rb") for path in journals]
        self._file = np.full(len(tiles), ABSENT, np.int32)
        self._start = np.zeros(len(tiles), np.int64)
        self._digest = np.zeros((len(tiles), SHA256_BYTES), np.uint8)
        self._written = np.zeros(len(tiles), np.bool_)
        places = {tile.id: place for place, tile in enumerate(tiles)} if journals else {}
        for number, path in enumerate(journals):
            for entry, start in journal_lines(path):
                place = places.get(entry["tile"])
                if place is None or (self._written[place] and "skipped" in entry):
                    continue
                self._file[place], self._start[place] = number, start
                self._written[place] = "sha256" in entry
                if "sha256" in entry:
                    digest = bytes.fromhex(entry["sha256"])
                    self._digest[place] = np.frombuffer(digest, np.uint8)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for file in self._files:
            file.close()

    def __contains__(self, place: int) -> bool:
        return bool(self._file[place] != ABSENT)

    def __getitem__(self, place: int) -> Entry:
        file = self._files[self._file[place]]
        file.seek(self._start[place])
        entry: Entry = from_json(file.readline())
        return entry

    def digest(self, place: int) -> str | None:
        """The hash of a tile as written; None where it was not."""
        return self._digest[place].tobytes().hex() if self._written[place] else None
