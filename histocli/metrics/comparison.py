"""``comparison.json``: which differences between runs on the same tiles are real."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from histocli.metrics.definitions import METRICS, metrics_of
from histocli.metrics.paired_difference import MeasuredRun, paired_record
from histocli.metrics.pairing import Entrant, paired_tiles
from histocli.metrics.records import Record, finite
from histocli.metrics.significance.holm import holm


def compare(
    entrants: Sequence[Entrant],
    *,
    split: str,
    confidence: float = 0.95,
    bootstrap_samples: int = 1000,
    permutations: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare every pair of runs in every metric; the content of ``comparison.json``.

    Where groups are known, intervals and the headline test take whole groups as independent; else
    DeLong's test speaks of the AUROC, McNemar's of accuracy, and an exchange of tiles of the rest.
    Holm's adjustment is made for each metric over the pairs. A difference is called real, and a run
    better, when its adjusted p-value is below one minus the confidence and its interval leaves out 0.

    Args:
        entrants: Two or more runs.
        split: Name of the split, recorded.
        confidence: Of the intervals.
        bootstrap_samples: Number of resampled tables, the same for all runs.
        permutations: Number of random exchanges.
        seed: Of both.

    Returns:
        Plain numbers, strings, lists and dicts as ``comparison.schema.json`` describes them.

    Raises:
        InputError: If the runs cannot be compared, naming how they differ.
    """
    tiles = paired_tiles(entrants)
    first = tiles[entrants[0].name]
    names = metrics_of(len(first.classes))
    clusters = first.clusters
    measured = {
        name: MeasuredRun.of(each, names, bootstrap_samples, seed) for name, each in tiles.items()
    }
    pairs = [
        {
            "runs": [one, other],
            **paired_record(
                measured[one],
                measured[other],
                confidence=confidence,
                permutations=permutations,
                seed=seed,
            ),
        }
        for one, other in combinations(tiles, 2)
    ]
    for metric in names:
        _judge(metric, pairs, 1 - confidence)
    return {
        "split": split,
        "runs": list(tiles),
        "tiles": len(first),
        "groups": None if clusters is None else len({group for group in first.groups if group}),
        "classes": list(first.classes),
        "positive_class": None
        if first.positive_index is None
        else first.classes[first.positive_index],
        "confidence": confidence,
        "bootstrap_samples": bootstrap_samples,
        "permutations": permutations,
        "adjustment": "holm, over the pairs of runs, for each metric",
        "values": {
            name: {metric: finite(each.points[metric]) for metric in names}
            for name, each in measured.items()
        },
        "pairs": pairs,
    }


def _judge(metric: str, pairs: Sequence[Record], level: float) -> None:
    """Adjust the p-values of one metric over the pairs, and say which run is better."""
    records = [pair["metrics"][metric] for pair in pairs]
    given = [math.nan if each["p_value"] is None else each["p_value"] for each in records]
    for pair, record, adjusted in zip(pairs, records, holm(given).tolist(), strict=True):
        record["p_holm"] = finite(adjusted)
        low, high = record["ci_low"], record["ci_high"]
        is_real = low is not None and adjusted < level and (low > 0 or high < 0)
        first_is_better = (record["difference"] or 0) > 0
        if METRICS[metric].lower_is_better:
            first_is_better = not first_is_better
        record["better"] = pair["runs"][0 if first_is_better else 1] if is_real else None
