"""McNemar's test: are two runs right equally often on the same tiles?"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, chi2

from histocli.metrics.definitions.arrays import BoolArray

# With fewer tiles that only one run gets right, the exact test.
FEW_DISCORDANT = 25
EXACT = "mcnemar (exact)"
CORRECTED = "mcnemar (chi-square, continuity-corrected)"


@dataclass(frozen=True)
class McNemar:
    """The four counts, and the two-sided test of the two that differ.

    Attributes:
        both_right: Tiles that both runs get right.
        only_first: b, tiles that only the first gets right.
        only_second: c, tiles that only the second gets right.
        both_wrong: Tiles that neither gets right.
        method: Exact, or the corrected chi-square.
        statistic: The chi-square; for the exact test the smaller of b and c.
        p_value: Two-sided.
    """

    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    method: str
    statistic: float
    p_value: float


def mcnemar(first_right: BoolArray, second_right: BoolArray) -> McNemar:
    """Test whether b and c differ: the exact binomial test, or ``(|b - c| - 1)^2 / (b + c)``.

    Args:
        first_right: True where the first run is right, shape ``(N,)``.
        second_right: True where the second is, shape ``(N,)``.

    Source:
        McNemar, Psychometrika 12 (1947) 153-157; the correction: Edwards, Psychometrika 13 (1948)
        185-187.
    """
    right, wrong = first_right & second_right, ~first_right & ~second_right
    b = int(np.count_nonzero(first_right & ~second_right))
    c = int(np.count_nonzero(~first_right & second_right))
    if b + c < FEW_DISCORDANT:
        statistic = float(min(b, c))
        p_value = min(1.0, 2 * float(binom.cdf(min(b, c), b + c, 0.5)))
    else:
        statistic = (abs(b - c) - 1) ** 2 / (b + c)
        p_value = float(chi2.sf(statistic, 1))
    method = EXACT if b + c < FEW_DISCORDANT else CORRECTED
    return McNemar(int(right.sum()), b, c, int(wrong.sum()), method, statistic, p_value)
