"""Is a map better than one that knows nothing? Paired by tile, in groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, wilcoxon

from histocli.explain.scores.clustered_mean import clustered_means, number_groups

FloatArray = NDArray[np.float64]
SIGNIFICANT = 0.05
# Measures of which a small value speaks for the map.
LOWER_IS_BETTER = ("deletion",)


def compare(
    scores: Mapping[str, Mapping[str, FloatArray]],
    method: str,
    groups: Sequence[str | None],
    seed: int,
) -> dict[str, Any]:
    """Set the explained map against each other one, in each measure.

    Args:
        scores: By measure, then by the name of the map: a value for each tile.
        method: Name of the map in question.
        groups: Patient or slide of each tile.
        seed: Of the bootstrap.

    Returns:
        By measure: ``maps`` with the mean of each, and ``against`` with, for each other map, the mean
        advantage, its interval, the p-value of Wilcoxon's signed-rank test on the groups' mean advantages
        (on tiles where no group is known), adjusted for the number of tests by Benjamini and Hochberg,
        and ``better``: whether both interval and test say so.
    """
    result: dict[str, Any] = {}
    tests: list[tuple[str, str, float]] = []
    for measure, of_map in scores.items():
        sign = -1 if measure in LOWER_IS_BETTER else 1
        means = clustered_means(list(of_map.values()), groups, seed)
        result[measure] = {
            "better": "lower" if sign < 0 else "higher",
            "maps": dict(zip(of_map, means, strict=True)),
            "against": {},
        }
        for other in (name for name in of_map if name != method):
            advantage = sign * (of_map[method] - of_map[other])
            (estimate,) = clustered_means([advantage], groups, seed)
            result[measure]["against"][other] = {"advantage": estimate}
            tests.append((measure, other, _signed_rank(advantage, groups)))
    adjusted = false_discovery_control([p_value for _, _, p_value in tests])
    for (measure, other, _), p_value in zip(tests, adjusted.tolist(), strict=True):
        entry = result[measure]["against"][other]
        estimate = entry["advantage"]
        entry["p_value"] = p_value
        certain = p_value < SIGNIFICANT
        entry["better"] = certain and estimate["value"] > 0 and not estimate["ci_low"] <= 0
        entry["worse"] = certain and estimate["value"] < 0 and not estimate["ci_high"] >= 0
    return result


def _signed_rank(differences: FloatArray, groups: Sequence[str | None]) -> float:
    """Two-sided p-value; 1 where nothing differs."""
    clusters = number_groups(groups)
    if clusters is not None and clusters.max() > 0:
        counts = np.bincount(clusters)
        differences = np.bincount(clusters, differences) / counts
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences).pvalue)
