"""Every metric by its name in ``metrics.json``: to add one, write its file and add its line."""

from operator import attrgetter

from histocli.metrics.definitions.accuracy import accuracy
from histocli.metrics.definitions.auroc import ranked_auroc
from histocli.metrics.definitions.auroc_one_versus_one import auroc_one_versus_one
from histocli.metrics.definitions.average_precision import ranked_average_precision
from histocli.metrics.definitions.balanced_accuracy import balanced_accuracy
from histocli.metrics.definitions.brier import brier
from histocli.metrics.definitions.cohen_kappa import cohen_kappa
from histocli.metrics.definitions.delong import delong_influence
from histocli.metrics.definitions.expected_calibration_error import (
    expected_calibration_error,
    top_label_calibration_error,
)
from histocli.metrics.definitions.f1 import f1
from histocli.metrics.definitions.families import (
    ConfusionMetric,
    CountsMetric,
    Metric,
    PairsMetric,
    ProbabilityMetric,
    RankingMetric,
    ScoreMetric,
)
from histocli.metrics.definitions.log_loss import log_loss
from histocli.metrics.definitions.matthews_correlation import matthews_correlation
from histocli.metrics.definitions.negative_predictive_value import negative_predictive_value
from histocli.metrics.definitions.positive_predictive_value import positive_predictive_value
from histocli.metrics.definitions.quadratic_kappa import quadratic_kappa
from histocli.metrics.definitions.sensitivity import sensitivity
from histocli.metrics.definitions.specificity import specificity
from histocli.metrics.definitions.top_k_accuracy import (
    top_2_accuracy,
    top_3_accuracy,
    top_5_accuracy,
)

NO_TILE = "there is no tile to evaluate"

METRICS: dict[str, Metric] = {
    "auroc": RankingMetric(
        "AUROC",
        "it needs tiles of the class and tiles of another class",
        ranked_auroc,
        delong_influence,
    ),
    "auroc_one_versus_one": PairsMetric(
        "AUROC, one versus one",
        "a class of the model has no tile",
        auroc_one_versus_one,
        least_classes=3,
    ),
    "average_precision": RankingMetric(
        "Average precision", "there is no tile of the class", ranked_average_precision
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
        is_share=False,
    ),
    "cohen_kappa": ConfusionMetric(
        "Cohen's kappa",
        "labels and predictions hold the same single class",
        cohen_kappa,
        is_share=False,
    ),
    "quadratic_kappa": ConfusionMetric(
        "Cohen's kappa, quadratic",
        "labels and predictions hold the same single class",
        quadratic_kappa,
        is_share=False,
        least_classes=3,
    ),
    "top_2_accuracy": ProbabilityMetric(
        "Top-2 accuracy", NO_TILE, top_2_accuracy, is_proportion=True, least_classes=3
    ),
    "top_3_accuracy": ProbabilityMetric(
        "Top-3 accuracy", NO_TILE, top_3_accuracy, is_proportion=True, least_classes=4
    ),
    "top_5_accuracy": ProbabilityMetric(
        "Top-5 accuracy", NO_TILE, top_5_accuracy, is_proportion=True, least_classes=6
    ),
    "brier": ScoreMetric("Brier score", NO_TILE, brier, lower_is_better=True),
    "expected_calibration_error": ScoreMetric(
        "Expected calibration error",
        NO_TILE,
        expected_calibration_error,
        overall=top_label_calibration_error,
        lower_is_better=True,
        grows_by_chance=True,
    ),
    "log_loss": ProbabilityMetric(
        "Log loss", NO_TILE, log_loss, lower_is_better=True, is_share=False
    ),
}


def metrics_of(classes: int) -> tuple[str, ...]:
    """Names of the metrics that say something about so many classes."""
    return tuple(name for name, metric in METRICS.items() if classes >= metric.least_classes)
