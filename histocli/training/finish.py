"""What a trained model decides with: operating point and calibration, chosen on the validation split."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from histocli.metrics.calibration import fit_temperature
from histocli.metrics.operating_point import youden_threshold
from histocli.models.classifier import ModelCard


def with_decisions(
    card: ModelCard, probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> ModelCard:
    """The card with an operating point and a calibration.

    Args:
        card: Of the model.
        probabilities: Of the validation tiles, shape ``(N, K)``.
        labels: Their classes, shape ``(N,)``.
    """
    point: dict[str, float | str] = {}
    if len(card.classes) == 2:
        positive = card.classes.index(card.positive_class)
        is_positive = (labels == positive).astype(np.int64)
        if 0 < is_positive.sum() < len(is_positive):
            threshold = youden_threshold(is_positive, probabilities[:, positive])
            chosen_by = "Youden's index on the validation split"
        else:
            threshold, chosen_by = 0.5, "default: the validation split lacks a class"
        point = {"threshold": threshold, "chosen_by": chosen_by}
    temperature = fit_temperature(probabilities, labels)
    calibration = {"temperature": temperature, "fitted_on": "valid"}
    return replace(card, operating_point=point, calibration=calibration)
