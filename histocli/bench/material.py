"""The tiles that a benchmark works on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from histocli.data.loading import SkippedTile, check_skipped, load_batches
from histocli.data.phantom import write_phantom
from histocli.data.tiles import TileSource
from histocli.errors import InputError, SettingsError

# Phantom tiles take longer to draw than to normalize: a few are drawn, and read again and again.
PHANTOM_TILES = 60


@dataclass(frozen=True)
class Material:
    """Tiles of a source, in memory and where they lie.

    Attributes:
        source: Where they lie.
        indices: Which of them.
        batches: The same decoded, uint8 ``(N, 3, H, W)``; tiles of one batch are of one size.
    """

    source: TileSource
    indices: Sequence[int]
    batches: list[NDArray[np.uint8]]

    @property
    def tiles(self) -> int:
        """How many are in memory."""
        return sum(len(batch) for batch in self.batches)


def read_material(source: TileSource, tiles: int, batch_size: int) -> Material:
    """Read so many tiles, drawn evenly over a source; a source of fewer gives some of them again.

    Raises:
        InputError: If none can be read.
    """
    if not source.tiles:
        raise InputError("the source holds no tiles; name another")
    indices = np.arange(tiles) * len(source.tiles) // tiles
    skipped: list[SkippedTile] = []
    chosen = indices.tolist()
    batches = [batch.pixels for batch in load_batches(source, chosen, batch_size, skipped)]
    check_skipped(skipped, tiles, strict=False)
    lost = {tile.id for tile in skipped}
    kept = [index for index in chosen if source.tiles[index].id not in lost]
    return Material(source, kept, batches)


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """A folder on the disk of the work, gone afterwards.

    Raises:
        SettingsError: If nothing can be written there.
    """
    try:
        temporary = TemporaryDirectory(prefix=".histo-bench-", dir=beside)
    except OSError as error:
        raise SettingsError(
            f"{beside.resolve()}: cannot be written ({error.strerror}); work in another folder"
        ) from error
    with temporary as name:
        yield Path(name)


def write_phantom_tiles(folder: Path) -> Path:
    """Draw synthetic tiles where no source is named; the folder of the tiles is returned."""
    write_phantom(folder, tiles=PHANTOM_TILES, faults=False)
    return folder
