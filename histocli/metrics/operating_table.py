"""What an operating point chosen on the validation split does on another split."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from histocli.metrics.bootstrap import ALL_ALIKE
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.confusion import OneVersusRest, confusion_matrix
from histocli.metrics.definitions.sensitivity import sensitivity
from histocli.metrics.definitions.specificity import specificity
from histocli.metrics.definitions.weights import Weights
from histocli.metrics.labelled import Labelled
from histocli.metrics.operating_rules import OperatingRule
from histocli.metrics.predictive_values import (
    LOGIT,
    LOGIT_OF_GROUPS,
    logit_intervals,
    values_at_prevalence,
)
from histocli.metrics.records import Record
from histocli.metrics.uncertainty import Uncertainty, finite, record_of

DECISION_METRICS = (
    "sensitivity",
    "specificity",
    "positive_predictive_value",
    "negative_predictive_value",
    "accuracy",
)


def operating_points(
    rules: Sequence[OperatingRule],
    chosen_on: Labelled,
    judged: Labelled,
    prevalence: float | None,
    uncertainty: Uncertainty,
) -> list[dict[str, Any]]:
    """Choose a threshold by each rule on one split and judge it on another.

    Args:
        rules: How to choose.
        chosen_on: Tiles of the validation split, two classes.
        judged: Tiles of the split that is evaluated.
        prevalence: At which predictive values are given too; None for the judged split's only.
        uncertainty: How intervals are made.

    Returns:
        By rule: the threshold, the metrics on the judged split with intervals, and what the chosen
        threshold reached on the split that it was chosen on.
    """
    positive = judged.positive_index
    if positive is None:
        return []
    found = []
    for rule in rules:
        threshold = rule.threshold(
            chosen_on.is_class(positive), chosen_on.probabilities[:, positive]
        )
        decided = judged.decided(threshold)
        entry: dict[str, Any] = {
            "rule": rule.text,
            "threshold": threshold,
            "chosen_on": "stated" if rule.name == "threshold" else "valid",
            "metrics": uncertainty.metrics(decided, DECISION_METRICS),
            "when_chosen": _rates(chosen_on.decided(threshold), positive),
        }
        if prevalence is not None:
            entry["at_prevalence"] = at_prevalence(decided, prevalence, uncertainty)
        found.append(entry)
    return found


def at_prevalence(tiles: Labelled, prevalence: float, uncertainty: Uncertainty) -> dict[str, Any]:
    """``predictive_records`` with the prevalence that they are for, as ``metrics.json`` has them."""
    return {"prevalence": prevalence, **predictive_records(tiles, prevalence, uncertainty)}


def predictive_records(
    tiles: Labelled, prevalence: float, uncertainty: Uncertainty
) -> dict[str, Record]:
    """PPV and NPV of the decisions at a stated prevalence, with intervals.

    Tiles alone: the logit interval of Mercaldo. Tiles in groups: the clustered bootstrap, and the logit
    interval as ``ci_unclustered``. Where every sample gives the same value, as when no positive is
    missed, a group counts as one tile.
    """
    positive = tiles.positive_index
    if positive is None:
        return {}
    names = ("positive_predictive_value", "negative_predictive_value")

    def statistics(weights: Weights) -> dict[str, FloatArray]:
        confusion = confusion_matrix(tiles.labels, tiles.predicted, 2, weights)
        counts = OneVersusRest.of(confusion)
        rates = (sensitivity(counts)[..., positive], specificity(counts)[..., positive])
        return dict(zip(names, values_at_prevalence(*rates, prevalence), strict=True))

    counts = _counts(tiles, positive)
    plain = logit_intervals(*counts, prevalence, uncertainty.confidence)
    clusters = tiles.clusters
    if clusters is None:
        values = statistics(None)
        return {
            name: record_of(float(values[name]), interval, LOGIT, len(tiles))
            for name, interval in zip(names, plain, strict=True)
        }
    records = uncertainty.records(statistics, tiles.labels, clusters)
    for name, interval in zip(names, plain, strict=True):
        records[name]["ci_unclustered"] = [finite(interval.low), finite(interval.high)]
        records[name]["method_unclustered"] = LOGIT
    alike = [name for name in names if records[name].get("reason") == ALL_ALIKE]
    if alike:
        by_group = logit_intervals(
            *_counts_of_groups(tiles, positive, clusters), prevalence, uncertainty.confidence
        )
        for name, interval in zip(names, by_group, strict=True):
            if name in alike:
                bounds = {"ci_low": finite(interval.low), "ci_high": finite(interval.high)}
                records[name] |= {**bounds, "method": LOGIT_OF_GROUPS}
                del records[name]["reason"]
    return records


def _rates(tiles: Labelled, positive: int) -> dict[str, float | None]:
    hits, positives, rejected, negatives = _counts(tiles, positive)
    return {
        "sensitivity": finite(hits / positives) if positives else None,
        "specificity": finite(rejected / negatives) if negatives else None,
    }


def _counts(tiles: Labelled, positive: int) -> tuple[float, float, float, float]:
    """True positives of positives, true negatives of negatives."""
    truth, called = tiles.is_class(positive), tiles.predicted == positive
    return (
        float((truth & called).sum()),
        float(truth.sum()),
        float((~truth & ~called).sum()),
        float((~truth).sum()),
    )


def _counts_of_groups(
    tiles: Labelled, positive: int, clusters: IntArray
) -> tuple[float, float, float, float]:
    """The same, a group with tiles of a class counting as one of them."""
    hits, positives, rejected, negatives = _counts(tiles, positive)
    truth = tiles.is_class(positive)
    of_class, of_rest = (float(len(np.unique(clusters[each]))) for each in (truth, ~truth))
    return hits / positives * of_class, of_class, rejected / negatives * of_rest, of_rest
