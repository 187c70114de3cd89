import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histocli.errors import InputError, SettingsError
from histocli.metrics.operating_point import youden_threshold
from histocli.metrics.operating_rules import parse_rule, parse_rules


def tiles(seed: int, count: int = 60, levels: int = 12) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.append(generator.integers(0, 2, count - 2), [0, 1])
    scores = np.clip(generator.integers(0, levels + 1, count) + labels, 0, levels) / levels
    return labels, scores


def every_cut(labels: np.ndarray, scores: np.ndarray) -> list[tuple[float, float, float]]:
    """Sensitivity, specificity and share called positive at every threshold there is."""
    cuts = []
    for threshold in [*np.unique(scores), 2.0]:
        called = scores >= threshold
        cuts.append(
            (
                float(called[labels == 1].mean()),
                float((~called[labels == 0]).mean()),
                float(called.mean()),
            )
        )
    return cuts


def rates(labels: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[float, float]:
    called = scores >= threshold
    return float(called[labels == 1].mean()), float((~called[labels == 0]).mean())


@given(seed=st.integers(0, 2**32 - 1), target=st.sampled_from([0.2, 0.5, 0.9, 0.95, 0.999]))
def test_a_target_is_reached_at_the_least_price(seed: int, target: float) -> None:
    labels, scores = tiles(seed)
    sensitivity, specificity = rates(
        labels, scores, parse_rule(f"sensitivity={target}").threshold(labels, scores)
    )
    assert sensitivity >= target
    best = max(other for found, other, _ in every_cut(labels, scores) if found >= target)
    assert specificity == best
    sensitivity, specificity = rates(
        labels, scores, parse_rule(f"specificity={target}").threshold(labels, scores)
    )
    assert specificity >= target
    best = max(found for found, other, _ in every_cut(labels, scores) if other >= target)
    assert sensitivity == best


@given(
    seed=st.integers(0, 2**32 - 1),
    missed=st.sampled_from([0.1, 1.0, 5.0, 100.0]),
    prevalence=st.sampled_from([None, 0.02, 0.5]),
)
def test_no_cut_costs_less(seed: int, missed: float, prevalence: float | None) -> None:
    labels, scores = tiles(seed)
    share = labels.mean() if prevalence is None else prevalence
    at = "" if prevalence is None else f"@{prevalence}"
    chosen = parse_rule(f"cost={missed}:1{at}").threshold(labels, scores)

    def cost(sensitivity: float, specificity: float) -> float:
        return missed * (1 - sensitivity) * share + (1 - specificity) * (1 - share)

    least = min(cost(*cut[:2]) for cut in every_cut(labels, scores))
    assert cost(*rates(labels, scores, chosen)) == pytest.approx(least, abs=1e-12)


@given(seed=st.integers(0, 2**32 - 1))
def test_as_many_are_called_positive_as_there_are(seed: int) -> None:
    labels, scores = tiles(seed)
    threshold = parse_rule("prevalence").threshold(labels, scores)
    nearest = min(abs(called - labels.mean()) for _, _, called in every_cut(labels, scores))
    assert abs((scores >= threshold).mean() - labels.mean()) == pytest.approx(nearest, abs=1e-12)


def test_youden_is_the_rule_that_training_has_always_used() -> None:
    labels, scores = tiles(4)
    assert parse_rule("youden").threshold(labels, scores) == youden_threshold(labels, scores)


def test_equal_costs_of_all_positive_and_of_none() -> None:
    labels, scores = np.array([0, 1]), np.array([1.0, 0.0])
    assert parse_rule("cost=1000:1").threshold(labels, scores) == 0.0
    nothing = parse_rule("cost=1:1000").threshold(labels, scores)
    assert nothing > 1
    assert math.isfinite(nothing)


def test_the_threshold_lies_in_the_middle_of_its_gap() -> None:
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.6, 0.9])
    assert parse_rule("sensitivity=0.95").threshold(labels, scores) == pytest.approx(0.4)
    assert parse_rule("specificity=0.95").threshold(labels, scores) == pytest.approx(0.4)


def test_a_stated_threshold_needs_no_tiles() -> None:
    assert parse_rule("threshold=0.25").threshold([], []) == 0.25


@pytest.mark.parametrize("text", ["sensitivity=0.9", "prevalence", "cost=2:1", "youden"])
def test_tiles_of_one_class_choose_nothing(text: str) -> None:
    with pytest.raises(InputError, match="both classes"):
        parse_rule(text).threshold([1, 1], [0.2, 0.9])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "best",
        "sensitivity",
        "sensitivity=2",
        "sensitivity=x",
        "cost=5",
        "cost=0:1",
        "cost=1:1@3",
    ],
)
def test_what_is_no_rule_is_refused_with_the_rules(text: str) -> None:
    with pytest.raises(SettingsError, match=r"sensitivity=0\.95"):
        parse_rule(text)


def test_rules_are_parted_by_commas_and_told_once() -> None:
    rules = parse_rules(["youden, sensitivity = 0.95", "cost=5:1@0.1,youden", ""])
    assert [rule.text for rule in rules] == ["youden", "sensitivity=0.95", "cost=5:1@0.1"]
    assert rules[2].prevalence == 0.1
    assert parse_rules([]) == []
