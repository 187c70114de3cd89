"""DeLong's interval of an AUROC, and the test of two AUROCs of the same tiles."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.intervals import UNDEFINED, Interval

DELONG, DELONG_LOGIT = "delong", "delong (logit)"
NO_VARIANCE = "DeLong's variance is zero or undefined for these tiles"


@dataclass(frozen=True)
class DifferenceTest:
    """A difference with its standard error, statistic and two-sided p-value; NaN if undefined."""

    difference: float
    standard_error: float
    z: float
    p_value: float

    def interval(self, confidence: float = 0.95) -> Interval:
        """The difference plus and minus so many standard errors, within [-1, 1]."""
        reach = float(ndtri((1 + confidence) / 2)) * self.standard_error
        return Interval(max(-1.0, self.difference - reach), min(1.0, self.difference + reach))


def delong_variance(influence: FloatArray, clusters: IntArray | None = None) -> float:
    """Variance of an AUROC, or of a difference of two, from the contributions of the tiles.

    Args:
        influence: As ``delong_influence`` gives it, shape ``(N,)``; for a difference, the difference.
        clusters: Group of each tile, numbered from 0: tiles of a group may then depend on each other.

    Source:
        With clusters: Obuchowski, Biometrics 53 (1997) 567-578. Differs in: one factor C / (C - 1)
        for all C clusters, those with tiles of one kind included.
    """
    if clusters is None:
        return float(np.sum(influence**2))
    sums = np.bincount(clusters, influence)
    count = len(sums)
    return float(np.sum(sums**2)) * count / (count - 1) if count > 1 else UNDEFINED


def delong_interval(
    area: float, influence: FloatArray, confidence: float = 0.95, *, on_logit: bool = True
) -> Interval:
    """The AUROC plus and minus z standard errors: ``expit(logit(A) -+ z SE / (A (1 - A)))``.

    On the plain scale, as in R's pROC, the interval of an AUROC near 1 is too narrow: docs/metrics.md
    has the coverage of both. With thousands of tiles they are nearly the same.

    Args:
        area: The AUROC.
        influence: As ``delong_influence`` gives it, shape ``(N,)``.
        confidence: Between 0 and 1.
        on_logit: False for the plain scale, cut off at 0 and 1.

    Source:
        DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845; the scale: Pepe, The Statistical
        Evaluation of Medical Tests (2003), section 5.2.
    """
    variance = delong_variance(influence)
    if not variance > 0:
        return Interval(UNDEFINED, UNDEFINED, NO_VARIANCE)
    reach = float(ndtri((1 + confidence) / 2)) * math.sqrt(variance)
    if not on_logit:
        return Interval(max(0.0, area - reach), min(1.0, area + reach))
    center, reach = float(logit(area)), reach / (area * (1 - area))
    return Interval(float(expit(center - reach)), float(expit(center + reach)))


def delong_test(
    first: tuple[float, FloatArray],
    second: tuple[float, FloatArray],
    clusters: IntArray | None = None,
) -> DifferenceTest:
    """Do two scores of the same tiles have the same AUROC?

    Args:
        first: An AUROC and the contributions of the tiles to it.
        second: The same of the other score.
        clusters: Group of each tile, numbered from 0; None takes tiles as independent.
    """
    difference = first[0] - second[0]
    error = math.sqrt(delong_variance(first[1] - second[1], clusters))
    if not error > 0:
        same = difference == 0 and error == 0
        return DifferenceTest(difference, error, UNDEFINED, 1.0 if same else UNDEFINED)
    z = difference / error
    return DifferenceTest(difference, error, z, float(2 * ndtr(-abs(z))))
