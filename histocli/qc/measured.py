"""What was measured of all tiles: arrays, a few hundred bytes a tile, read from the journals."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.data.pixel_digest import DIGEST_BYTES, pixel_digest
from histocli.data.tiles import Tile, TileBatch
from histocli.data.writing import journal_lines
from histocli.qc.measures import QC_MEASURES, measure_tiles
from histocli.qc.perceptual_hash import HASH_BYTES, Bits, perceptual_hashes
from histocli.qc.verdict import RELATIVE_MEASURES, Measures

# Fewer tiles do not say what is sharp in a data set.
FEWEST_SHARP_TILES = 20
UPPER_QUARTILE = 75
# Of each tile, by name.
Relative = Mapping[str, NDArray[np.float64]]


def journal_entries(tiles: Sequence[Tile], batch: TileBatch) -> list[dict[str, Any]]:
    """Measure a batch: one line of the journal for each tile."""
    columns = measure_tiles(batch.pixels)
    hashes = perceptual_hashes(batch.pixels)
    return [
        {
            "tile": tiles[index].id,
            "digest": pixel_digest(pixels).hex(),
            "hash": hashes[position].tobytes().hex(),
            "size_px": list(pixels.shape[1:]),
            # JSON has no NaN: undefined is null.
            "measures": [
                None if math.isnan(values[position]) else values[position]
                for values in columns.values()
            ],
        }
        for position, (index, pixels) in enumerate(zip(batch.indices, batch.pixels, strict=True))
    ]


@dataclass(frozen=True)
class MeasuredTiles:
    """Every tile's measures, in the order of the table.

    Attributes:
        tiles: The table.
        values: Float64 ``(N, M)`` in the order of ``QC_MEASURES``; NaN where undefined.
        sizes_px: Height and width, ``(N, 2)``; 0 where a tile could not be read.
        digests: Of the pixels, ``(N, 16)``.
        hashes: What each tile looks like, ``(N, 32)``.
        unreadable: Why a tile could not be read, by its place.
        missing: Places of tiles that stand in no journal.
    """

    tiles: Sequence[Tile]
    values: NDArray[np.float64]
    sizes_px: NDArray[np.int32]
    digests: NDArray[np.uint8]
    hashes: Bits
    unreadable: Mapping[int, str]
    missing: Sequence[int]

    @classmethod
    def read(cls, tiles: Sequence[Tile], journals: Iterable[Path]) -> "MeasuredTiles":
        """Gather what the journals of all parts say; a tile read once is readable."""
        count = len(tiles)
        values = np.full((count, len(QC_MEASURES)), np.nan)
        sizes = np.zeros((count, 2), np.int32)
        digests = np.zeros((count, DIGEST_BYTES), np.uint8)
        hashes = np.zeros((count, HASH_BYTES), np.uint8)
        unreadable: dict[int, str] = {}
        seen = np.zeros(count, np.bool_)
        places = {tile.id: place for place, tile in enumerate(tiles)}
        for path in journals:
            for entry, _ in journal_lines(path):
                place = places.get(entry["tile"])
                if place is None:
                    continue
                if "skipped" in entry:
                    if not seen[place]:
                        unreadable[place] = entry["skipped"]
                        seen[place] = True
                    continue
                unreadable.pop(place, None)
                seen[place] = True
                values[place] = [np.nan if v is None else v for v in entry["measures"]]
                sizes[place] = entry["size_px"]
                digests[place] = np.frombuffer(bytes.fromhex(entry["digest"]), np.uint8)
                hashes[place] = np.frombuffer(bytes.fromhex(entry["hash"]), np.uint8)
        missing = np.flatnonzero(~seen).tolist()
        return cls(tiles, values, sizes, digests, hashes, dict(sorted(unreadable.items())), missing)

    def column(self, name: str) -> NDArray[np.float64]:
        """One measure of every tile."""
        found: NDArray[np.float64] = self.values[:, list(QC_MEASURES).index(name)]
        return found

    def relative(self, tissue_fraction: float) -> Relative:
        """Measures of focus over the upper quartile of the tiles with tissue; NaN where these are few.

        Tiles of one size, where there are enough, are compared with each other: another size is often
        another resolution.
        """
        return {name: self._share(of, tissue_fraction) for name, of in RELATIVE_MEASURES.items()}

    def _share(self, name: str, tissue_fraction: float) -> NDArray[np.float64]:
        values = self.column(name)
        counted = np.isfinite(values) & (self.column("tissue_fraction") >= tissue_fraction)
        found = np.full(len(values), np.nan)
        sizes, counts = np.unique(self.sizes_px, axis=0, return_counts=True)
        of_one_size = (
            (self.sizes_px == size).all(axis=1) for size in sizes[counts >= FEWEST_SHARP_TILES]
        )
        for chosen in (np.ones(len(values), np.bool_), *of_one_size):
            usual = values[chosen & counted]
            if len(usual) >= FEWEST_SHARP_TILES:
                found[chosen] = values[chosen] / np.percentile(usual, UPPER_QUARTILE)
        return found

    def of(self, place: int, relative: Relative) -> Measures | None:
        """Measures of one tile by name; None if it could not be read."""
        if place in self.unreadable:
            return None
        named = dict(zip(QC_MEASURES, self.values[place].tolist(), strict=True))
        return named | {name: float(values[place]) for name, values in relative.items()}
