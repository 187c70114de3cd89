"""Validation and the judged split side by side: do they tell one story?"""

from typing import Any

from histocli.metrics.labelled import Labelled
from histocli.metrics.records import Record
from histocli.metrics.uncertainty import Uncertainty

SIDE_BY_SIDE = (
    "auroc",
    "accuracy",
    "sensitivity",
    "specificity",
    "expected_calibration_error",
)


def agreement_section(
    valid: Labelled, judged: Labelled, split: str, uncertainty: Uncertainty
) -> dict[str, Any]:
    """Both splits' metrics, and a warning for each whose intervals do not meet.

    Intervals that do not meet differ for certain; those that do may differ still.

    Args:
        valid: Tiles of the validation split.
        judged: Tiles of the split that is evaluated.
        split: Its name.
        uncertainty: How intervals are made.
    """
    before, after = (uncertainty.metrics(tiles, SIDE_BY_SIDE) for tiles in (valid, judged))
    apart = [name for name in SIDE_BY_SIDE if _are_apart(before[name], after[name])]
    return {
        "valid": before,
        split: after,
        "disagree": apart,
        "warnings": [
            f"{name.replace('_', ' ')} is {before[name]['value']:.3f} on valid and "
            f"{after[name]['value']:.3f} on {split}, and the intervals do not meet"
            for name in apart
        ],
    }


def _are_apart(one: Record, other: Record) -> bool:
    bounds = [one["ci_low"], one["ci_high"], other["ci_low"], other["ci_high"]]
    if None in bounds:
        return False
    return bool(bounds[1] < bounds[2] or bounds[3] < bounds[0])
