"""An interval of the AUROC that survives perfect separation: Newcombe's score-like method."""

from scipy.optimize import brentq
from scipy.special import ndtri

from histocli.metrics.intervals import UNDEFINED, Interval

NEWCOMBE = "newcombe"
NEXT_TO = 1e-9
TOO_FEW = "it needs tiles of the class and tiles of another class"


def newcombe_interval(
    area: float, positives: int, negatives: int, confidence: float = 0.95
) -> Interval:
    """All areas that lie within z of their own standard errors from the observed one.

    As Wilson's interval does for a proportion: ``|observed - A| <= z sqrt(V(A))`` with Hanley and
    McNeil's variance for exponential scores and ``N* = (m + n) / 2`` in place of m and n:
    ``V(A) = A (1 - A) (1 + (N* - 1) (1 - A) / (2 - A) + (N* - 1) A / (1 + A)) / (m n)``.

    Args:
        area: Observed AUROC.
        positives: Number m of tiles of the class, or of groups where only those are independent.
        negatives: Number n of others.
        confidence: Between 0 and 1.

    Source:
        Newcombe, Statistics in Medicine 25 (2006) 559-573, method 5.
    """
    if positives < 1 or negatives < 1:
        return Interval(UNDEFINED, UNDEFINED, TOO_FEW)
    z, mean = float(ndtri((1 + confidence) / 2)), (positives + negatives) / 2

    def variance(true: float) -> float:
        spread = 1 + (mean - 1) * ((1 - true) / (2 - true) + true / (1 + true))
        return true * (1 - true) * spread / (positives * negatives)

    def excess(true: float) -> float:
        return (area - true) ** 2 - z**2 * variance(true)

    # The observed area itself is no bound, though at 0 and 1 it solves the equation.
    below, above = area * (1 - NEXT_TO), area + (1 - area) * NEXT_TO
    low = 0.0 if area <= 0 else float(brentq(excess, 0.0, below, xtol=1e-14))
    high = 1.0 if area >= 1 else float(brentq(excess, above, 1.0, xtol=1e-14))
    return Interval(low, high)
