"""How the report writes names, numbers and intervals: declared once, used by tables and page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

UNDEFINED = "\N{EN DASH}"

# Printed name of each metric, in the order of every table.
METRIC_LABELS = {
    "auroc": "AUROC",
    "auroc_one_versus_one": "AUROC, one versus one",
    "average_precision": "Average precision",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "positive_predictive_value": "PPV",
    "negative_predictive_value": "NPV",
    "f1": "F1",
    "matthews_correlation": "MCC",
    "cohen_kappa": "Cohen's kappa",
    "quadratic_kappa": "Quadratic kappa",
    "top_2_accuracy": "Top-2 accuracy",
    "top_3_accuracy": "Top-3 accuracy",
    "top_5_accuracy": "Top-5 accuracy",
    "brier": "Brier score",
    "expected_calibration_error": "ECE",
    "log_loss": "Log loss",
}

# What each abbreviation means, for people who do not live with them.
METRIC_MEANINGS = {
    "auroc": "area under the ROC curve; 0.5 is chance",
    "average_precision": "area under the precision-recall curve; the prevalence is chance",
    "sensitivity": "share of positive tiles that are found",
    "specificity": "share of negative tiles that are left alone",
    "positive_predictive_value": "share of positive calls that are right, at this prevalence",
    "negative_predictive_value": "share of negative calls that are right, at this prevalence",
    "f1": "harmonic mean of sensitivity and PPV",
    "matthews_correlation": "Matthews correlation; 0 is chance",
    "cohen_kappa": "agreement beyond chance",
    "quadratic_kappa": "the same, classes taken as ordered: near misses count less",
    "auroc_one_versus_one": "mean over the pairs of classes; prevalence plays no part",
    "brier": "mean squared error of the probability; 0 is best",
    "expected_calibration_error": "mean gap of probability and observed share; 0 is best",
    "log_loss": "mean negative log-likelihood; 0 is best",
}


# As stored in metrics.json, and as one says it.
INTERVAL_METHODS = {
    "delong": "DeLong's method",
    "delong (logit)": "DeLong's method on the logit scale",
    "newcombe": "Newcombe's method",
    "newcombe (groups as cases)": "Newcombe's method with each group as one case",
    "wilson": "Wilson's method",
    "wilson (groups as trials)": "Wilson's method with each group as one trial",
    "clopper-pearson": "the method of Clopper and Pearson",
    "bootstrap (stratified, percentile)": "a percentile bootstrap of tiles within their classes",
    "bootstrap (stratified, BCa)": "a BCa bootstrap of tiles within their classes",
    "bootstrap (stratified, reflected)": "a reflected bootstrap of tiles within their classes",
    "bootstrap (clustered by group, percentile)": "a percentile bootstrap of whole groups",
    "bootstrap (clustered by group, BCa)": "a BCa bootstrap of whole groups",
    "bootstrap (clustered by group, reflected)": "a reflected bootstrap of whole groups",
    "bootstrap (clustered by group, logit t)": "a bootstrap-t of whole groups on the logit scale",
    "logit (Mercaldo)": "Mercaldo's method on the logit scale",
    "logit (Mercaldo, groups as cases)": "Mercaldo's method on the logit scale with each group as one case",
    "wald (sandwich)": "Wald's method with a robust standard error",
    "wald (sandwich, clustered by group)": "Wald's method with a standard error that is robust to groups",
}


def interval_method(entry: Mapping[str, Any]) -> str:
    """How the interval of a metric was made."""
    method = str(entry.get("method"))
    return INTERVAL_METHODS.get(method, method)


def metric_label(name: str) -> str:
    """The printed name of a metric; an unknown one reads as words."""
    return METRIC_LABELS.get(name, name.replace("_", " ").capitalize())


def in_order(names: Mapping[str, Any]) -> list[str]:
    """Metric names in printing order, unknown ones last."""
    return [
        *(name for name in METRIC_LABELS if name in names),
        *sorted({*names} - {*METRIC_LABELS}),
    ]


def number(value: float | None, digits: int = 3) -> str:
    """A number with a true minus sign, or a dash where it is undefined."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    text = f"{value:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-")


def interval(entry: Mapping[str, Any]) -> str:
    """The bounds alone, as in "0.941 to 0.964"; empty without them."""
    low, high = entry.get("ci_low"), entry.get("ci_high")
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def estimate(entry: Mapping[str, Any] | None) -> str:
    """A value with its interval, as in "0.953 (0.941 to 0.964)"; a dash where undefined."""
    if entry is None or entry.get("value") is None:
        return UNDEFINED
    bounds = interval(entry)
    return f"{number(entry['value'])} ({bounds})" if bounds else number(entry["value"])


def p_text(p_value: float | None) -> str:
    """A p-value of three digits; the smallest as a bound."""
    if p_value is None:
        return UNDEFINED
    return "<0.001" if p_value < 0.001 else number(p_value)


def percent(share: float | None, digits: int = 1) -> str:
    """A share in percent, as in "88.9 %"."""
    return UNDEFINED if share is None else f"{number(100 * share, digits)}\N{NO-BREAK SPACE}%"


def count(quantity: object) -> str:
    """A whole number with thousands separators; anything else as it is."""
    if isinstance(quantity, bool) or not isinstance(quantity, int):
        return UNDEFINED if quantity is None else str(quantity)
    return f"{quantity:,}"


def listed(names: Sequence[str]) -> str:
    """Names as in a sentence: "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def shortened(name: str, length: int = 24) -> str:
    """A name that fits; an ellipsis stands for what was cut."""
    return name if len(name) <= length else f"{name[: length - 1]}\N{HORIZONTAL ELLIPSIS}"


def duration(seconds: float) -> str:
    """A time span in the units that matter, as in "1 h 05 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
