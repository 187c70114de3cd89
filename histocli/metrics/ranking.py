"""Which of several models is the better one on validation."""

import math


def rank(auroc: float, loss: float) -> tuple[float, float]:
    """Greater for a better model: by AUROC; among equals, and where it is undefined, by the loss."""
    return -math.inf if math.isnan(auroc) else auroc, -loss
