"""Judge all tiles of a data set: each by its measures, and by what the others show."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from histocli.qc.duplicates import DuplicateSets, find_duplicates
from histocli.qc.measured import MeasuredTiles, Relative
from histocli.qc.measures import QC_MEASURES
from histocli.qc.near_duplicates import LARGEST_DISTANCE
from histocli.qc.thresholds import Thresholds, fit_thresholds
from histocli.qc.verdict import (
    CONTRADICTORY,
    DUPLICATE,
    MUCH_TISSUE_FRACTION,
    NEAR_DUPLICATE,
    WRONG_SIZE,
    Verdict,
    judge,
)

# A data set that has one size has it nearly everywhere; another mixes sizes on purpose.
SHARE_OF_ONE_SIZE = 0.9
# These say that a tile shows too little for its look to be compared with others'.
SHOWS_NOTHING = {"constant", "background", "dark", "unsaturated", "unreadable"}
# What does not keep a tile from telling what is usual in its data set.
BESIDE_THE_POINT = {"blur", "over_stained", "under_stained", "compression"}


@dataclass(frozen=True)
class Judgment:
    """Verdicts on a data set.

    Attributes:
        measured: What they rest on.
        thresholds: By which they were made.
        relative: Its measures beside the data set, of each tile.
        verdicts: Of each tile, in the order of the table.
        duplicates: Tiles that are the same, or nearly so.
    """

    measured: MeasuredTiles
    thresholds: Thresholds
    relative: Relative
    verdicts: Sequence[Verdict]
    duplicates: DuplicateSets


def judge_tiles(
    measured: MeasuredTiles,
    thresholds: Thresholds,
    *,
    fit: bool = False,
    keep: frozenset[str] = frozenset(),
    distance: int = LARGEST_DISTANCE,
) -> Judgment:
    """Judge every tile.

    Args:
        measured: The tiles.
        thresholds: Where a tile fails.
        fit: Set the thresholds from these tiles first.
        keep: Thresholds that fitting leaves alone.
        distance: Bits in which the hashes of near duplicates may differ.
    """
    relative = measured.relative(thresholds.background_tissue_fraction)
    verdicts = _judge_each(measured, thresholds, relative)
    if fit:
        usual = [set(v.reasons) <= BESIDE_THE_POINT for v in verdicts]
        columns = {name: measured.column(name)[usual] for name in QC_MEASURES}
        thresholds = fit_thresholds(thresholds, columns, keep)
        verdicts = _judge_each(measured, thresholds, relative)
    tiles = measured.tiles
    for place in _of_wrong_size(measured):
        verdicts[place] = verdicts[place].and_also(WRONG_SIZE)
    readable = [place for place in range(len(tiles)) if place not in measured.unreadable]
    duplicates = find_duplicates(
        tiles,
        {place: measured.digests[place].tobytes() for place in _repeated(measured, readable)},
        measured.hashes,
        [p for p in readable if not SHOWS_NOTHING & set(verdicts[p].reasons)],
        distance=distance,
        rich=measured.column("tissue_fraction") >= MUCH_TISSUE_FRACTION,
    )
    of_the_set = (
        (CONTRADICTORY, duplicates.contradicted),
        (DUPLICATE, duplicates.repeated),
        (NEAR_DUPLICATE, duplicates.near_repeated),
    )
    for reason, names in of_the_set:
        if names:
            for place, tile in enumerate(tiles):
                if tile.id in names:
                    verdicts[place] = verdicts[place].and_also(reason)
    return Judgment(measured, thresholds, relative, verdicts, duplicates)


def _judge_each(
    measured: MeasuredTiles, thresholds: Thresholds, relative: Relative
) -> list[Verdict]:
    return [judge(measured.of(p, relative), thresholds) for p in range(len(measured.tiles))]


def _repeated(measured: MeasuredTiles, places: Sequence[int]) -> list[int]:
    """Tiles whose pixels others have too; of a million tiles hardly any, so only these are looked at."""
    chosen = np.asarray(places, np.int64)
    digests = np.ascontiguousarray(measured.digests[chosen])
    whole = digests.view(np.dtype((np.void, digests.shape[1]))).reshape(-1)
    _, which, counts = np.unique(whole, return_inverse=True, return_counts=True)
    found: list[int] = chosen[counts[which.reshape(-1)] > 1].tolist()
    return found


def _of_wrong_size(measured: MeasuredTiles) -> list[int]:
    """Tiles that are not as large as nearly all others."""
    sizes = [(int(height), int(width)) for height, width in measured.sizes_px if height]
    if not sizes:
        return []
    usual, count = Counter(sizes).most_common(1)[0]
    if count < SHARE_OF_ONE_SIZE * len(sizes):
        return []
    other = (measured.sizes_px != usual).any(axis=1) & (measured.sizes_px[:, 0] > 0)
    return [int(place) for place in np.flatnonzero(other)]
