"""What some tiles say together of the center and of the other regions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from histocli.explain.scores.clustered_mean import bootstrap_method, clustered_means
from histocli.explain.scores.regions import RegionScore
from histocli.metrics.definitions.arrays import FloatArray

NOTHING = "no tile has both a map and such a region"


def summarize_shares(
    shares: FloatArray, chances: FloatArray, groups: Sequence[str | None], seed: int
) -> dict[str, Any]:
    """Mean center share and enrichment over the tiles of one class.

    Args:
        shares: Center share of each tile; NaN where its map is empty, which leaves it out.
        chances: Chance level of each tile.
        groups: Patient or slide; whole groups are resampled where any is known.
        seed: Of the bootstrap.

    Returns:
        ``n``, ``empty_maps``, ``center_share``, ``outside_share`` and ``enrichment`` as
        ``attention.json`` has them; a bound that is undefined is NaN, with a ``reason``.
    """
    kept = np.flatnonzero(np.isfinite(shares))
    names = [groups[row] for row in kept.tolist()]
    share = shares[kept]
    center, enrichment = clustered_means([share, share / chances[kept]], names, seed)
    return {
        "n": len(shares),
        "empty_maps": len(shares) - len(kept),
        "center_share": {**center, "method": bootstrap_method(names)},
        "outside_share": 1 - center["value"],
        "enrichment": enrichment,
    }


def summarize_region(
    scores: Sequence[RegionScore], groups: Sequence[str | None], seed: int
) -> dict[str, Any]:
    """Mean share, chance, ceiling, enrichment, pointing game and overlap over some tiles.

    Args:
        scores: Of each tile; those without a map or without the region are left out.
        groups: Patient or slide.
        seed: Of the bootstrap.
    """
    kept, names = _defined(scores, groups)
    columns = ("share", "chance", "ceiling", "enrichment", "pointing", "overlap")
    found = clustered_means([_column(kept, name) for name in columns], names, seed, NOTHING)
    share, chance, ceiling, enrichment, pointing, overlap = found
    return {
        "n": len(kept),
        "share": share,
        "chance": chance["value"],
        "ceiling": ceiling["value"],
        "enrichment": enrichment,
        "pointing_game": pointing,
        "overlap": overlap,
    }


def summarize_stain(
    scores: Sequence[RegionScore], groups: Sequence[str | None], seed: int
) -> dict[str, Any]:
    """Mean concentration of a stain where the maps are, and all over the tiles.

    Args:
        scores: Of each tile, by ``score_stain``.
        groups: Patient or slide.
        seed: Of the bootstrap.
    """
    kept, names = _defined(scores, groups)
    columns = [_column(kept, name) for name in ("share", "chance", "enrichment")]
    attended, everywhere, enrichment = clustered_means(columns, names, seed, NOTHING)
    return {
        "n": len(kept),
        "attended": attended["value"],
        "everywhere": everywhere["value"],
        "enrichment": enrichment,
    }


def _defined(
    scores: Sequence[RegionScore], groups: Sequence[str | None]
) -> tuple[list[RegionScore], list[str | None]]:
    pairs = [
        (score, group)
        for score, group in zip(scores, groups, strict=True)
        if np.isfinite(score.enrichment)
    ]
    return [score for score, _ in pairs], [group for _, group in pairs]


def _column(scores: Sequence[RegionScore], name: str) -> FloatArray:
    return np.array([getattr(score, name) for score in scores], np.float64)
