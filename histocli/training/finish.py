"""What a trained model decides with: operating point and calibration, chosen on the validation split."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from histocli.metrics.calibrators import fit_calibration
from histocli.metrics.operating_point import DEFAULT_THRESHOLD
from histocli.metrics.operating_rules import DEFAULT_RULE, parse_rule
from histocli.models.classifier import ModelCard


def with_decisions(
    card: ModelCard,
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    operating_point: str = DEFAULT_RULE,
    calibration: str = "temperature",
) -> ModelCard:
    """The card with an operating point and a calibration.

    Args:
        card: Of the model.
        probabilities: Of the validation tiles, shape ``(N, K)``.
        labels: Their classes, shape ``(N,)``.
        operating_point: The rule that chooses the threshold of two classes, as typed.
        calibration: A key of ``CALIBRATORS``, or ``none``.
    """
    point: dict[str, float | str] = {}
    if len(card.classes) == 2:
        rule = parse_rule(operating_point)
        positive = card.classes.index(card.positive_class)
        is_positive = (labels == positive).astype(np.int64)
        if rule.name == "threshold":
            threshold, chosen_by = rule.number, "stated"
        elif 0 < is_positive.sum() < len(is_positive):
            threshold = rule.threshold(is_positive, probabilities[:, positive])
            chosen_by = f"{rule.words} on the validation split"
        else:
            threshold = DEFAULT_THRESHOLD
            chosen_by = "default: the validation split lacks a class"
        point = {"threshold": threshold, "chosen_by": chosen_by}
    fitted = fit_calibration(calibration, probabilities, labels)
    stored = {**fitted, "fitted_on": "valid"} if fitted else {}
    return replace(card, operating_point=point, calibration=stored)
