"""Conformal sets: as many classes as it takes to hold the true one as often as promised."""

import math
from typing import Any

import numpy as np

from histocli.metrics.definitions.arrays import BoolArray, FloatArray, IntArray, ratio
from histocli.metrics.definitions.weights import Weights, weighted_sums
from histocli.metrics.labelled import Labelled
from histocli.metrics.uncertainty import Uncertainty

# Coverages that are promised; a reader asks for 90 or 95 %.
PROMISED = (0.9, 0.95)


def conformal_limit(scores: FloatArray, coverage: float) -> float:
    """The largest nonconformity that a set admits.

    The ``ceil((n + 1) coverage)``-th smallest score of the n tiles of calibration; infinite where they
    are too few for the promise.

    Args:
        scores: Nonconformity of the true class of each tile, shape ``(n,)``.
        coverage: Share of sets that shall hold the true class.

    Source:
        Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; Sadinle, Lei and
        Wasserman, JASA 114 (2019) 223-234 (nonconformity 1 - p of the class).
    """
    rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
    if rank > len(scores):
        return math.inf
    return float(np.partition(scores, rank - 1)[rank - 1])


def conformal_sets(
    calibration_labels: IntArray,
    calibration_probabilities: FloatArray,
    probabilities: FloatArray,
    coverage: float,
    *,
    by_class: bool = False,
) -> BoolArray:
    """Which classes each tile's set holds.

    Args:
        calibration_labels: True classes of tiles that the model did not learn from, shape ``(n,)``.
        calibration_probabilities: Their probabilities, shape ``(n, K)``.
        probabilities: Of the tiles to be judged, shape ``(N, K)``.
        coverage: Share of sets that shall hold the true class.
        by_class: Promise it within each true class, not only over all.

    Returns:
        Shape ``(N, K)``. A set may be empty, which says that no class fits.
    """
    nonconformity = (
        1 - calibration_probabilities[np.arange(len(calibration_labels)), calibration_labels]
    )
    classes = probabilities.shape[1]
    limits = np.full(classes, conformal_limit(nonconformity, coverage))
    if by_class:
        limits = np.array(
            [
                conformal_limit(nonconformity[calibration_labels == index], coverage)
                for index in range(classes)
            ]
        )
    return np.asarray(1 - probabilities <= limits, np.bool_)


def conformal_section(
    calibration: Labelled, judged: Labelled, uncertainty: Uncertainty
) -> list[dict[str, Any]]:
    """Coverage reached and sizes of the sets, at each promise, as ``metrics.json`` has them.

    Args:
        calibration: Tiles of the validation split.
        judged: Tiles of the split that is evaluated; their coverage is counted.
        uncertainty: How intervals are made.
    """
    return [
        _entry(calibration, judged, coverage, by_class, uncertainty)
        for coverage in PROMISED
        for by_class in (False, True)
    ]


def _entry(
    calibration: Labelled,
    judged: Labelled,
    coverage: float,
    by_class: bool,
    uncertainty: Uncertainty,
) -> dict[str, Any]:
    sets = conformal_sets(
        calibration.labels,
        calibration.probabilities,
        judged.probabilities,
        coverage,
        by_class=by_class,
    )
    covered = sets[np.arange(len(judged)), judged.labels].astype(np.int64)
    sizes = sets.sum(axis=1).astype(np.int64)
    classes = judged.classes

    # One count for each class, covered or not, and size: all that the statistics need.
    shape = (len(classes), 2, len(classes) + 1)
    cells = np.ravel_multi_index((judged.labels, covered, sizes), shape)

    def statistics(weights: Weights) -> dict[str, FloatArray]:
        table = weighted_sums(cells, None, math.prod(shape), weights)
        table = table.reshape(*table.shape[:-1], *shape)
        of_class, by_size = table.sum(axis=-1), table.sum(axis=(-3, -2))
        total = of_class.sum(axis=(-2, -1))
        shares = ratio(of_class[..., 1], of_class.sum(axis=-1))
        return {
            "coverage": ratio(of_class[..., 1].sum(axis=-1), total),
            "mean_size": ratio((by_size * np.arange(shape[2])).sum(axis=-1), total),
            **{f"coverage of {name}": shares[..., index] for index, name in enumerate(classes)},
        }

    records = uncertainty.records(statistics, judged.labels, judged.clusters)
    for name, count in zip(
        classes, np.bincount(judged.labels, minlength=len(classes)), strict=True
    ):
        records[f"coverage of {name}"]["n"] = int(count)
    shares = np.bincount(sizes, minlength=len(classes) + 1) / len(judged)
    return {
        "promised": coverage,
        "by_class": by_class,
        "calibrated_on": "valid",
        "calibration_tiles": len(calibration),
        "coverage": records["coverage"],
        "coverage_per_class": {name: records[f"coverage of {name}"] for name in classes},
        "mean_size": records["mean_size"],
        "share_by_size": shares.tolist(),
    }
