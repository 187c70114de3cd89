import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from histocli.errors import InputError
from histocli.metrics.operating_point import decide, youden_threshold


def gain(labels: np.ndarray, called: np.ndarray) -> float:
    return float(called[labels == 1].mean() - called[labels == 0].mean())


@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(2, 30))
@settings(max_examples=60, deadline=None)
def test_no_threshold_has_a_larger_youden_index(seed: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    labels = np.append(generator.integers(2, size=40), [0, 1])
    scores = (generator.integers(levels, size=42) + labels) / levels
    scores /= scores.max()
    false_rate, true_rate, _ = roc_curve(labels, scores)
    threshold = youden_threshold(labels, scores)
    best = float(np.max(true_rate - false_rate))
    if best > 1e-12:
        assert gain(labels, scores >= threshold) == pytest.approx(best, abs=1e-12)
    else:
        assert threshold == 0.5


def test_the_threshold_is_in_the_middle_of_the_gap() -> None:
    assert youden_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9]) == pytest.approx(0.4)


def test_of_equally_good_cuts_the_widest_gap_is_taken() -> None:
    # Cutting above 0.2 and above 0.75 both give 1/2; the second gap is narrower.
    labels, scores = [0, 1, 0, 1], [0.2, 0.7, 0.75, 0.8]
    assert youden_threshold(labels, scores) == pytest.approx(0.45)


def test_of_equally_wide_gaps_the_highest_is_taken() -> None:
    assert youden_threshold([0, 1, 0, 1], [0.125, 0.25, 0.375, 0.5]) == pytest.approx(0.4375)


@pytest.mark.parametrize("scores", [[0.7, 0.7, 0.7, 0.7], [0.9, 0.8, 0.2, 0.1]])
def test_scores_no_better_than_chance_keep_one_half(scores: list[float]) -> None:
    assert youden_threshold([0, 0, 1, 1], scores) == 0.5


def test_neighbouring_floats_are_still_separated() -> None:
    low = 0.5
    high = float(np.nextafter(low, 1))
    assert youden_threshold([0, 1], [low, high]) == high


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_one_class_only_says_what_to_do(labels: list[int]) -> None:
    with pytest.raises(InputError, match="both classes"):
        youden_threshold(labels, [0.2, 0.8])


PROBABILITIES = np.array([[0.7, 0.3], [0.6, 0.4], [0.1, 0.9]])


@pytest.mark.parametrize(
    ("positive", "threshold", "expected"),
    [
        ("tumor", 0.4, ["normal", "tumor", "tumor"]),
        ("tumor", None, ["normal", "normal", "tumor"]),
        ("normal", 0.7, ["normal", "tumor", "tumor"]),
        ("tumor", 0.0, ["tumor", "tumor", "tumor"]),
    ],
)
def test_two_classes_are_decided_by_the_threshold_of_the_positive_class(
    positive: str, threshold: float | None, expected: list[str]
) -> None:
    assert decide(PROBABILITIES, ["normal", "tumor"], positive, threshold) == expected


def test_more_classes_are_decided_by_the_most_probable() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]])
    assert decide(probabilities, ["a", "b", "c"], "c", None) == ["b", "a"]


def test_an_unknown_positive_class_says_which_there_are() -> None:
    with pytest.raises(InputError, match="normal and tumor"):
        decide(PROBABILITIES, ["normal", "tumor"], "cancer", 0.5)
