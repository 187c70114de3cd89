"""An interval for shares when few groups were resampled: Student's t on the logit scale."""

import math

import numpy as np
from scipy.special import expit, logit, stdtrit

from histocli.metrics.definitions.arrays import FloatArray
from histocli.metrics.intervals import UNDEFINED, Interval


def logit_interval(
    replicates: FloatArray,
    point: float,
    left_out: FloatArray,
    units: int,
    confidence: float = 0.95,
) -> Interval:
    """``expit(logit(estimate) -+ t SE)`` with the larger of two standard errors.

    Resampled groups say too little of a share near 1, and percentiles repeat the mistake; on the logit
    scale the error depends less on the share. Of the bootstrap's and the jackknife's standard error
    the larger is taken: docs/metrics.md has the coverage beside that of BCa.

    Args:
        replicates: The metric in each bootstrap sample, shape ``(R,)``.
        point: The metric of the tiles as they are.
        left_out: The metric without one group, or one block of groups, shape ``(U,)``.
        units: How many groups were resampled.
        confidence: Between 0 and 1.

    Returns:
        An interval without bounds, and the reason, where a value is 0, 1 or undefined.

    Source:
        The larger error: MacKinnon, Nielsen and Webb, Journal of Econometrics 232 (2023) 272-299,
        who advise the jackknife of clusters. Differs in: taken on the logit scale.
    """
    values = np.concatenate([replicates, left_out, [point]])
    if units < 2 or not ((values > 0) & (values < 1)).all():
        return Interval(UNDEFINED, UNDEFINED, "a sample reaches 0 or 1, or is undefined")
    resampled, shortened = logit(replicates), logit(left_out)
    blocks = len(left_out)
    bootstrap = float(np.std(resampled)) * math.sqrt(units / (units - 1))
    jackknife = float(np.std(shortened)) * math.sqrt(blocks - 1)
    reach = -float(stdtrit(units - 1, (1 - confidence) / 2)) * max(bootstrap, jackknife)
    center = float(logit(point))
    return Interval(float(expit(center - reach)), float(expit(center + reach)))
