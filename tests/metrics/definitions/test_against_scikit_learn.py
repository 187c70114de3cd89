"""Every metric of the table against scikit-learn, where it has it, and obvious code where not."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.auroc import auroc
from histocli.metrics.definitions.average_precision import average_precision
from histocli.metrics.definitions.evidence import Evidence

TOLERANCE = 1e-12
NAN = float("nan")
OneClass = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
AllClasses = Callable[[Evidence], float]


def slow_calibration_error(outcomes: np.ndarray, confidence: np.ndarray) -> float:
    total = 0.0
    for number in range(15):
        inside = [row for row, value in enumerate(confidence) if min(int(value * 15), 14) == number]
        if inside:
            total += len(inside) * abs(confidence[inside].mean() - outcomes[inside].mean())
    return total / len(confidence)


# Each takes: is the class, is predicted as the class, score of the class.
ONE_CLASS: dict[str, OneClass] = {
    "auroc": lambda y, _, s: oracle.roc_auc_score(y, s) if 0 < y.sum() < len(y) else NAN,
    "average_precision": lambda y, _, s: oracle.average_precision_score(y, s) if y.any() else NAN,
    "sensitivity": lambda y, d, _: oracle.recall_score(y, d, zero_division=NAN),
    "specificity": lambda y, d, _: oracle.recall_score(~y, ~d, zero_division=NAN),
    "positive_predictive_value": lambda y, d, _: oracle.precision_score(y, d, zero_division=NAN),
    "negative_predictive_value": lambda y, d, _: oracle.precision_score(~y, ~d, zero_division=NAN),
    "f1": lambda y, d, _: oracle.f1_score(y, d, zero_division=NAN),
    "brier": lambda y, _, s: float(np.mean([(p - t) ** 2 for p, t in zip(s, y, strict=True)])),
    "expected_calibration_error": lambda y, _, s: slow_calibration_error(y, s),
}


def balanced_accuracy(evidence: Evidence) -> float:
    if len(np.unique(evidence.label_indices)) < evidence.classes:
        return NAN
    return float(oracle.balanced_accuracy_score(evidence.label_indices, evidence.predicted_indices))


def matthews_correlation(evidence: Evidence) -> float:
    if min(len(np.unique(evidence.label_indices)), len(np.unique(evidence.predicted_indices))) < 2:
        return NAN
    return float(oracle.matthews_corrcoef(evidence.label_indices, evidence.predicted_indices))


def cohen_kappa(evidence: Evidence) -> float:
    if len(np.union1d(evidence.label_indices, evidence.predicted_indices)) < 2:
        return NAN
    return float(oracle.cohen_kappa_score(evidence.label_indices, evidence.predicted_indices))


def quadratic_kappa(evidence: Evidence) -> float:
    if len(np.union1d(evidence.label_indices, evidence.predicted_indices)) < 2:
        return NAN
    return float(
        oracle.cohen_kappa_score(
            evidence.label_indices,
            evidence.predicted_indices,
            labels=range(evidence.classes),
            weights="quadratic",
        )
    )


def auroc_one_versus_one(evidence: Evidence) -> float:
    if len(np.unique(evidence.label_indices)) < evidence.classes:
        return NAN
    if evidence.classes == 2:
        return float(oracle.roc_auc_score(evidence.label_indices, evidence.probabilities[:, 1]))
    return float(
        oracle.roc_auc_score(evidence.label_indices, evidence.probabilities, multi_class="ovo")
    )


def top_k_accuracy(evidence: Evidence, k: int) -> float:
    if k >= evidence.classes:
        return 1.0
    return float(
        oracle.top_k_accuracy_score(
            evidence.label_indices, evidence.probabilities, k=k, labels=range(evidence.classes)
        )
    )


ALL_CLASSES: dict[str, AllClasses] = {
    "auroc_one_versus_one": auroc_one_versus_one,
    "quadratic_kappa": quadratic_kappa,
    "top_2_accuracy": lambda e: top_k_accuracy(e, 2),
    "top_3_accuracy": lambda e: top_k_accuracy(e, 3),
    "top_5_accuracy": lambda e: top_k_accuracy(e, 5),
    "accuracy": lambda e: oracle.accuracy_score(e.label_indices, e.predicted_indices),
    "balanced_accuracy": balanced_accuracy,
    "matthews_correlation": matthews_correlation,
    "cohen_kappa": cohen_kappa,
    "log_loss": lambda e: oracle.log_loss(
        e.label_indices, e.probabilities, labels=range(e.classes)
    ),
}

any_table = st.tuples(
    st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(2, 4), st.integers(1, 8)
)
property_test = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_every_metric_has_an_oracle() -> None:
    assert ONE_CLASS.keys() | ALL_CLASSES.keys() == METRICS.keys()


@pytest.mark.parametrize("name", ONE_CLASS)
@given(table=any_table)
@property_test
def test_each_class_equals_the_oracle(
    name: str, table: tuple[int, ...], make_evidence: Callable[..., Evidence]
) -> None:
    evidence = make_evidence(*table)
    values = METRICS[name].measure(evidence)
    expected = np.array(
        [
            ONE_CLASS[name](
                evidence.label_indices == index,
                evidence.predicted_indices == index,
                evidence.probabilities[:, index],
            )
            for index in range(evidence.classes)
        ]
    )
    assert values.per_class is not None
    np.testing.assert_allclose(values.per_class, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", ALL_CLASSES)
@given(table=any_table)
@property_test
def test_all_classes_together_equal_the_oracle(
    name: str, table: tuple[int, ...], make_evidence: Callable[..., Evidence]
) -> None:
    evidence = make_evidence(*table)
    values = METRICS[name].measure(evidence)
    assert values.per_class is None
    np.testing.assert_allclose(
        values.overall, ALL_CLASSES[name](evidence), rtol=TOLERANCE, atol=TOLERANCE
    )


@pytest.mark.parametrize("name", ONE_CLASS)
def test_two_classes_show_the_positive_class(
    name: str, make_evidence: Callable[..., Evidence]
) -> None:
    values = METRICS[name].measure(make_evidence(3))
    assert values.overall == values.of(1)


@pytest.mark.parametrize("name", sorted(ONE_CLASS.keys() - {"expected_calibration_error"}))
def test_more_classes_show_the_mean_over_the_classes(
    name: str, make_evidence: Callable[..., Evidence]
) -> None:
    values = METRICS[name].measure(make_evidence(3, classes=4))
    assert values.per_class is not None
    assert values.overall == pytest.approx(np.mean(values.per_class), abs=TOLERANCE)


def test_more_classes_show_the_calibration_of_the_most_probable(
    make_evidence: Callable[..., Evidence],
) -> None:
    evidence = make_evidence(3, classes=4)
    top = evidence.probabilities.argmax(axis=1)
    expected = slow_calibration_error(
        top == evidence.label_indices, evidence.probabilities.max(axis=1)
    )
    values = METRICS["expected_calibration_error"].measure(evidence)
    assert values.overall == pytest.approx(expected, abs=TOLERANCE)


def test_a_metric_over_all_classes_has_no_value_for_one(
    make_evidence: Callable[..., Evidence],
) -> None:
    values = METRICS["accuracy"].measure(make_evidence(3))
    with pytest.raises(ValueError, match="no value for one class"):
        values.of(0)


@pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
def test_averages_over_the_classes_equal_the_oracle(
    average: str, make_evidence: Callable[..., Evidence]
) -> None:
    evidence = make_evidence(8, classes=4)
    truth, decided = evidence.label_indices, evidence.predicted_indices
    one_hot = np.eye(4)[truth]
    expected = {
        "auroc": oracle.roc_auc_score(one_hot, evidence.probabilities, average=average),
        "average_precision": oracle.average_precision_score(
            one_hot, evidence.probabilities, average=average
        ),
        "sensitivity": oracle.recall_score(truth, decided, average=average),
        "positive_predictive_value": oracle.precision_score(truth, decided, average=average),
        "f1": oracle.f1_score(truth, decided, average=average),
    }
    for name, value in expected.items():
        found = METRICS[name].measure(evidence).of(average)
        assert found == pytest.approx(value, abs=TOLERANCE), name


def test_ranking_metrics_weigh_tiles_as_scikit_learn_does() -> None:
    generator = np.random.default_rng(5)
    labels, scores = generator.integers(2, size=50) == 1, generator.integers(9, size=50) / 8
    weights = generator.random(50)
    area = oracle.roc_auc_score(labels, scores, sample_weight=weights)
    precision = oracle.average_precision_score(labels, scores, sample_weight=weights)
    assert auroc(labels, scores, weights) == pytest.approx(area, abs=TOLERANCE)
    assert average_precision(labels, scores, weights) == pytest.approx(precision, abs=TOLERANCE)
