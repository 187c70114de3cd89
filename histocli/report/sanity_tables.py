"""What stands beside every score: the validation split, chance, the majority, color and doubtful labels."""

from collections.abc import Mapping
from typing import Any

from histocli.report.tables import Table, reasons
from histocli.report.wording import (
    UNDEFINED,
    count,
    estimate,
    in_order,
    metric_label,
    number,
    p_text,
    percent,
)


def sanity_table(metrics: Mapping[str, Any]) -> Table:
    """What the majority class and shuffled labels reach, and color alone where that was asked for."""
    sanity, split = metrics["sanity"], metrics["split"]
    majority, noise = sanity["majority"], sanity["label_noise"]
    rows = [[f"Accuracy of always {majority['class']}", number(majority["accuracy"])]]
    rows += [
        [f"p, labels of {name} shuffled", UNDEFINED if p is None else p_text(p)]
        for name, p in sanity["permutation"]["p_value"].items()
    ]
    if "color" in sanity:
        rows += [
            ["AUROC of color alone", estimate(sanity["color"]["auroc"])],
            ["The model adds", estimate(sanity["color"]["model_adds_auroc"])],
        ]
    rows += [
        ["Labels that may be wrong", percent(noise["estimated_wrong_share"])],
        ["Tiles whose label is doubted", count(noise["suspicious"])],
    ]
    return Table("Sanity", ("Measure", split), rows)


def agreement_table(metrics: Mapping[str, Any]) -> Table:
    """The validation split beside the one that is judged."""
    agreement, split = metrics["sanity"]["agreement"], metrics["split"]
    before, after = agreement["valid"], agreement[split]
    rows = [
        [metric_label(name), estimate(before[name]), estimate(after[name])]
        for name in in_order(after)
    ]
    apart = [metric_label(name) for name in agreement["disagree"]]
    notes = [f"Intervals that do not meet: {', '.join(apart)}."] if apart else []
    notes += [
        note for name, each in (("valid", before), (split, after)) for note in reasons(name, each)
    ]
    return Table("Validation beside it", ("Metric", "valid", split), rows, tuple(notes))
