"""Predictive values where the disease is rarer, or commoner, than among the tiles at hand."""

import math

from scipy.special import expit, ndtri

from histocli.metrics.definitions.arrays import FloatArray, ratio
from histocli.metrics.intervals import UNDEFINED, Interval

LOGIT, LOGIT_OF_GROUPS = "logit (Mercaldo)", "logit (Mercaldo, groups as cases)"


def values_at_prevalence(
    sensitivity: FloatArray, specificity: FloatArray, prevalence: float
) -> tuple[FloatArray, FloatArray]:
    """Positive and negative predictive value by Bayes' theorem.

    ``PPV = se p / (se p + (1 - sp)(1 - p))``, ``NPV = sp (1 - p) / (sp (1 - p) + (1 - se) p)``

    Args:
        sensitivity: Any shape.
        specificity: The same shape.
        prevalence: Share of positives among those to be tested, between 0 and 1.

    Returns:
        Two arrays; NaN where nothing is called positive, or negative.
    """
    hits, misses = sensitivity * prevalence, (1 - sensitivity) * prevalence
    alarms, rejected = (1 - specificity) * (1 - prevalence), specificity * (1 - prevalence)
    return ratio(hits, hits + alarms), ratio(rejected, rejected + misses)


def logit_intervals(
    true_positives: float,
    positives: float,
    true_negatives: float,
    negatives: float,
    prevalence: float,
    confidence: float = 0.95,
) -> tuple[Interval, Interval]:
    """Intervals of both predictive values at a prevalence that is known, tiles being independent.

    The delta method on the logit: ``var(logit PPV) = (1 - se) / (se n+) + sp / ((1 - sp) n-)``, and with
    the roles exchanged for NPV. Where a rate is 0 or 1, ``z^2 / 2`` is added to each cell first.

    Args:
        true_positives: Positives that are called so.
        positives: All positives.
        true_negatives: Negatives that are called so.
        negatives: All negatives.
        prevalence: Between 0 and 1.
        confidence: Of the intervals.

    Returns:
        Intervals of PPV and NPV; NaN where a class has no tile.

    Source:
        Mercaldo, Lau and Zhou, Statistics in Medicine 26 (2007) 2170-2183.
    """
    z = float(ndtri((1 + confidence) / 2))
    if positives == 0 or negatives == 0:
        missing = Interval(UNDEFINED, UNDEFINED, "it needs tiles of both classes")
        return missing, missing
    if true_positives in (0, positives) or true_negatives in (0, negatives):
        true_positives, positives = true_positives + z**2 / 2, positives + z**2
        true_negatives, negatives = true_negatives + z**2 / 2, negatives + z**2
    sensitivity, specificity = true_positives / positives, true_negatives / negatives
    odds = math.log(prevalence / (1 - prevalence))
    positive_logit = math.log(sensitivity / (1 - specificity)) + odds
    negative_logit = math.log(specificity / (1 - sensitivity)) - odds
    positive_spread = z * math.sqrt(
        (1 - sensitivity) / sensitivity / positives + specificity / (1 - specificity) / negatives
    )
    negative_spread = z * math.sqrt(
        sensitivity / (1 - sensitivity) / positives + (1 - specificity) / specificity / negatives
    )
    return (
        _expit_interval(positive_logit, positive_spread),
        _expit_interval(negative_logit, negative_spread),
    )


def _expit_interval(center: float, spread: float) -> Interval:
    return Interval(float(expit(center - spread)), float(expit(center + spread)))
