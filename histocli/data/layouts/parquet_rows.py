"""Image files in a column of a parquet file, read by row group."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.data.images import decode_image
from histocli.data.layouts.bombs import check_ratio, check_rows
from histocli.data.layouts.rows import BlockCache
from histocli.errors import InputError, UnreadableTileError

# Row groups of exports hold 100 to 1000 images; those at hand are mixed by a shuffle.
KEPT_BYTES = 128_000_000
FEWEST_KEPT, MOST_KEPT = 3, 40


class ParquetRows:
    """The rows of one file: a column of bytes, or of structs with bytes in them.

    Raises:
        InputError: If the file is damaged, or a bomb.
    """

    def __init__(self, path: Path, column: str) -> None:
        self.path, self.column = path, column
        metadata = open_parquet(path).metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        self._ends = np.cumsum([group.num_rows for group in groups], dtype=np.int64)
        stored = path.stat().st_size
        check_rows(path, sum(group.num_rows for group in groups), stored)
        for group in groups:
            columns = [group.column(number) for number in range(group.num_columns)]
            for one in columns:
                name = f"{path}: the column {one.path_in_schema}"
                packed = min(one.total_compressed_size, stored)
                check_ratio(name, one.total_uncompressed_size, packed)
        largest = max((group.total_byte_size for group in groups), default=1)
        self._kept = min(MOST_KEPT, max(FEWEST_KEPT, KEPT_BYTES // max(1, largest)))
        self._blocks: BlockCache[Any] = BlockCache(self._kept)

    def __reduce__(self) -> tuple[Any, ...]:
        return ParquetRows, (self.path, self.column)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def blocks_at_hand(self) -> int:
        """Row groups that are kept while their rows are read in any order."""
        # One is on its way out while the next one comes in.
        return self._kept - 1

    def blocks_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the row group of each row."""
        return np.searchsorted(self._ends, rows, side="right").astype(np.int64)

    def read(self, row: int) -> NDArray[np.uint8]:
        """Decode the image of one row."""
        return decode_image(self.read_bytes(row), f"{self.path}#{row}")

    def read_bytes(self, row: int) -> bytes:
        """The image file of one row.

        Raises:
            UnreadableTileError: If the row has none.
        """
        if not 0 <= row < len(self):
            raise ValueError(f"{self.path}: there is no row {row}")
        group = int(np.searchsorted(self._ends, row, side="right"))
        start = int(self._ends[group - 1]) if group else 0
        try:
            value = self._blocks.get(group, self._load)[row - start].as_py()
        except InputError as error:
            raise UnreadableTileError(f"{self.path}#{row}", str(error)) from error
        if value is None:
            raise UnreadableTileError(f"{self.path}#{row}", "the row holds no image bytes")
        return bytes(value)

    def _load(self, group: int) -> Any:
        # Opened for each group: a handle that threads or processes share is worse.
        with damage_named(self.path):
            table = open_parquet(self.path).read_row_group(group, columns=[self.column])
        column = table.column(0).combine_chunks()
        return column.field("bytes") if hasattr(column, "field") else column


@contextmanager
def damage_named(path: PurePath) -> Iterator[None]:
    """Name the file whose pages cannot be read.

    Raises:
        InputError: In place of what the library raises.
    """
    import pyarrow as pa

    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"{path}: damaged parquet file ({reason}); get it again") from error


def open_parquet(path: Path) -> Any:
    """Open a parquet file.

    Raises:
        InputError: If it is damaged.
    """
    import pyarrow as pa  # only for those who bring parquet files
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = "the file is empty" if path.stat().st_size == 0 else str(error).split("\n")[0]
        raise InputError(
            f"{path}: not a whole parquet file ({reason}); it may be cut short, get it again"
        ) from error
