"""Confident learning: which labels does the model contradict with good reason?"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, IntArray, ratio
from histocli.metrics.labelled import Labelled

MOST_SUSPICIOUS = 100


@dataclass(frozen=True)
class ConfidentJoint:
    """Counts of labels given against labels that the model is confident of.

    Attributes:
        thresholds: Mean probability of each class among the tiles labelled so, shape ``(K,)``; NaN
            for a class without tiles.
        counts: Rows given, columns suspected, over the tiles that are confident, shape ``(K, K)``.
        suspected: Class that each tile seems to be, -1 where no class is confident, shape ``(N,)``.
    """

    thresholds: FloatArray
    counts: IntArray
    suspected: IntArray


def confident_joint(labels: IntArray, probabilities: FloatArray) -> ConfidentJoint:
    """Estimate which classes are confused in the labels.

    A tile is confident of the classes whose probability reaches their threshold, the mean probability
    of that class among the tiles labelled so; of several, of the most probable one.

    Args:
        labels: As given, shape ``(N,)``.
        probabilities: Of tiles that the model did not learn from, shape ``(N, K)``.

    Source:
        Northcutt, Jiang and Chuang, Confident Learning, Journal of Artificial Intelligence Research 70
        (2021) 1373-1411, equations 1 and 2.
    """
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    thresholds = ratio(np.bincount(labels, own, classes), np.bincount(labels, minlength=classes))
    reaches = probabilities >= np.nan_to_num(thresholds, nan=np.inf) - 1e-12
    suspected = np.where(reaches, probabilities, -1.0).argmax(axis=1)
    suspected = np.where(reaches.any(axis=1), suspected, -1).astype(np.int64)
    known = suspected >= 0
    cells = labels[known] * classes + suspected[known]
    counts = np.bincount(cells, minlength=classes * classes).reshape(classes, classes)
    return ConfidentJoint(thresholds, counts.astype(np.int64), suspected)


def estimated_noise(joint: ConfidentJoint, labels: IntArray) -> float:
    """Share of labels that are estimated to be wrong: the joint calibrated to the counts of the labels.

    Source:
        Northcutt et al., equation 3.
    """
    given = np.bincount(labels, minlength=len(joint.counts)).astype(np.float64)
    rows = ratio(joint.counts, joint.counts.sum(axis=1, keepdims=True))
    calibrated = np.nan_to_num(rows) * given[:, np.newaxis]
    return float(1 - ratio(np.trace(calibrated), calibrated.sum()))


def suspicious_tiles(labels: IntArray, probabilities: FloatArray) -> IntArray:
    """Places of tiles whose label is off the diagonal of the confident joint, the worst first.

    Ranked by the margin between the suspected class and the one given (the paper's pruning by noise
    rate ranks so, too).
    """
    joint = confident_joint(labels, probabilities)
    doubted = np.flatnonzero((joint.suspected >= 0) & (joint.suspected != labels))
    margin = (
        probabilities[doubted, joint.suspected[doubted]] - probabilities[doubted, labels[doubted]]
    )
    return np.asarray(doubted[np.argsort(-margin, kind="stable")], np.int64)


def label_noise_section(tiles: Labelled) -> dict[str, Any]:
    """What confident learning says of a split, as ``metrics.json`` has it."""
    joint = confident_joint(tiles.labels, tiles.probabilities)
    places = suspicious_tiles(tiles.labels, tiles.probabilities)
    return {
        "estimated_wrong_share": estimated_noise(joint, tiles.labels),
        "confident_joint": joint.counts.tolist(),
        "suspicious": len(places),
        "most_suspicious": [
            {
                "tile": tiles.tiles[place],
                "label": tiles.classes[int(tiles.labels[place])],
                "suspected": tiles.classes[int(joint.suspected[place])],
                "probability_of_label": float(tiles.probabilities[place, tiles.labels[place]]),
                "probability_of_suspected": float(
                    tiles.probabilities[place, joint.suspected[place]]
                ),
            }
            for place in places[:MOST_SUSPICIOUS].tolist()
        ],
    }
