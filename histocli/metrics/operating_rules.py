"""Rules that choose an operating point: ``youden``, ``sensitivity=0.95``, ``cost=5:1`` and the like."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from histocli.errors import SettingsError
from histocli.metrics.operating_cuts import Cuts
from histocli.metrics.operating_point import youden_threshold

DEFAULT_RULE = "youden"


def _by_sensitivity(cuts: Cuts, target: float) -> int:
    """The most specific cut that finds the wanted share of the positives."""
    reached = cuts.sensitivity >= target - 1e-12
    return cuts.widest(np.where(reached, cuts.specificity, -1.0))


def _by_specificity(cuts: Cuts, target: float) -> int:
    """The most sensitive cut that leaves the wanted share of the negatives alone."""
    reached = cuts.specificity >= target - 1e-12
    return cuts.widest(np.where(reached, cuts.sensitivity, -1.0))


def _by_cost(cuts: Cuts, weight: float, prevalence: float | None) -> int:
    """The cut with the least expected cost, a missed positive costing ``weight`` false alarms."""
    share = cuts.prevalence if prevalence is None else prevalence
    missed, alarms = (1 - cuts.sensitivity) * share, (1 - cuts.specificity) * (1 - share)
    return cuts.widest(-(weight * missed + alarms) / max(weight, 1.0))


def _by_prevalence(cuts: Cuts) -> int:
    """The cut that calls as many tiles positive as there are."""
    called = cuts.sensitivity * cuts.prevalence + (1 - cuts.specificity) * (1 - cuts.prevalence)
    return cuts.widest(-np.abs(called - cuts.prevalence))


PLAIN_RULES = (DEFAULT_RULE, "prevalence")
TARGET_RULES: dict[str, Callable[[Cuts, float], int]] = {
    "sensitivity": _by_sensitivity,
    "specificity": _by_specificity,
}
WAYS = (
    "youden, prevalence, sensitivity=0.95, specificity=0.9, cost=5:1 (missed positive to false "
    "alarm), cost=5:1@0.02 (at that prevalence) or threshold=0.5"
)


@dataclass(frozen=True)
class OperatingRule:
    """A rule as typed, ready to choose.

    Attributes:
        text: As typed, without spaces.
        name: What comes before the equals sign.
        number: The target, the threshold, or what a missed positive costs in false alarms.
        prevalence: Of the cost; the validation split's when None.
    """

    text: str
    name: str
    number: float = math.nan
    prevalence: float | None = None

    @property
    def words(self) -> str:
        """The rule as a person says it."""
        return "Youden's index" if self.name == DEFAULT_RULE else self.text

    def threshold(self, labels01: ArrayLike, scores: ArrayLike) -> float:
        """The threshold that the rule chooses on these tiles, for ``score >= threshold``.

        Args:
            labels01: 1 for tiles of the positive class, 0 for the others, shape ``(N,)``.
            scores: Probability of the positive class, shape ``(N,)``.

        Raises:
            InputError: If one of the two classes has no tile.
        """
        if self.name == "threshold":
            return self.number
        if self.name == DEFAULT_RULE:
            return youden_threshold(labels01, scores)
        cuts = Cuts.of(labels01, scores)
        if self.name == "prevalence":
            cut = _by_prevalence(cuts)
        elif self.name in TARGET_RULES:
            cut = TARGET_RULES[self.name](cuts, self.number)
        else:
            cut = _by_cost(cuts, self.number, self.prevalence)
        return cuts.threshold(cut)


def parse_rule(text: str) -> OperatingRule:
    """Understand one rule.

    Raises:
        SettingsError: Saying which rules there are.
    """
    plain = "".join(text.split()).lower()
    name, _, value = plain.partition("=")
    try:
        if plain in PLAIN_RULES:
            return OperatingRule(plain, plain)
        if name == "cost":
            costs, _, prevalence = value.partition("@")
            missed, _, alarm = costs.partition(":")
            weight = _positive(missed) / _positive(alarm)
            return OperatingRule(plain, name, weight, _share(prevalence) if prevalence else None)
        if name in (*TARGET_RULES, "threshold"):
            return OperatingRule(plain, name, _share(value))
    except ValueError as error:
        raise SettingsError(f"the operating point {text!r}: {error}; write {WAYS}") from error
    raise SettingsError(f"the operating point {text!r} is unknown; write {WAYS}")


def parse_rules(texts: Sequence[str]) -> list[OperatingRule]:
    """Understand rules, several of them in one text with commas between."""
    parts = [part for text in texts for part in text.split(",") if part.strip()]
    return list({rule.text: rule for rule in map(parse_rule, parts)}.values())


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise ValueError(f"{text} is not between 0 and 1")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{text} is no positive number")
    return value
