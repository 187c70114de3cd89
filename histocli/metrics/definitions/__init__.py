"""Every metric by its name in ``metrics.json``: to add one, write its file and add its line."""

from operator import attrgetter

from histocli.metrics.definitions.accuracy import accuracy
from histocli.metrics.definitions.auroc import auroc
from histocli.metrics.definitions.average_precision import average_precision
from histocli.metrics.definitions.balanced_accuracy import balanced_accuracy
from histocli.metrics.definitions.brier import brier
from histocli.metrics.definitions.cohen_kappa import cohen_kappa
from histocli.metrics.definitions.expected_calibration_error import (
    expected_calibration_error,
    top_label_calibration_error,
)
from histocli.metrics.definitions.f1 import f1
from histocli.metrics.definitions.families import (
    ConfusionMetric,
    CountsMetric,
    Metric,
    ProbabilityMetric,
    ScoreMetric,
)
from histocli.metrics.definitions.log_loss import log_loss
from histocli.metrics.definitions.matthews_correlation import matthews_correlation
from histocli.metrics.definitions.negative_predictive_value import negative_predictive_value
from histocli.metrics.definitions.positive_predictive_value import positive_predictive_value
from histocli.metrics.definitions.sensitivity import sensitivity
from histocli.metrics.definitions.specificity import specificity

NO_TILE = "there is no tile to evaluate"

METRICS: dict[str, Metric] = {
    "auroc": ScoreMetric("AUROC", "it needs tiles of the class and tiles of another class", auroc),
    "average_precision": ScoreMetric(
        "Average precision", "there is no tile of the class", average_precision
    ),
    "accuracy": ConfusionMetric("Accuracy", NO_TILE, accuracy, is_proportion=True),
    "balanced_accuracy": ConfusionMetric(
        "Balanced accuracy", "a class of the model has no tile", balanced_accuracy
    ),
    "sensitivity": CountsMetric(
        "Sensitivity", "there is no tile of the class", sensitivity, attrgetter("positives")
    ),
    "specificity": CountsMetric(
        "Specificity", "there is no tile of another class", specificity, attrgetter("negatives")
    ),
    "positive_predictive_value": CountsMetric(
        "Positive predictive value",
        "no tile is predicted as the class",
        positive_predictive_value,
        attrgetter("predicted_positives"),
    ),
    "negative_predictive_value": CountsMetric(
        "Negative predictive value",
        "every tile is predicted as the class",
        negative_predictive_value,
        attrgetter("predicted_negatives"),
    ),
    "f1": CountsMetric("F1", "the class is neither present nor predicted", f1),
    "matthews_correlation": ConfusionMetric(
        "Matthews correlation",
        "the labels or the predictions hold a single class",
        matthews_correlation,
    ),
    "cohen_kappa": ConfusionMetric(
        "Cohen's kappa", "labels and predictions hold the same single class", cohen_kappa
    ),
    "brier": ScoreMetric("Brier score", NO_TILE, brier),
    "expected_calibration_error": ScoreMetric(
        "Expected calibration error",
        NO_TILE,
        expected_calibration_error,
        overall=top_label_calibration_error,
    ),
    "log_loss": ProbabilityMetric("Log loss", NO_TILE, log_loss),
}
