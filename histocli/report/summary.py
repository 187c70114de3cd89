"""A run in plain words: what was done, how good it is, and how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histocli.plurals import counted
from histocli.report.distrust import reasons_to_distrust
from histocli.report.run_summary import Evaluation, RunSummary
from histocli.report.wording import (
    count,
    duration,
    interval,
    interval_method,
    listed,
    number,
    percent,
)


@dataclass(frozen=True)
class PlainWords:
    """Sentences for people who will read nothing else."""

    what: tuple[str, ...]
    how_good: tuple[str, ...]
    how_sure: tuple[str, ...]
    distrust: tuple[str, ...]


def summarize(summary: RunSummary) -> PlainWords:
    """Say what matters of a run."""
    headline = summary.headline
    return PlainWords(
        what=(_model(summary), *_training(summary)),
        how_good=tuple(_how_good(headline)) if headline else (),
        how_sure=tuple(_how_sure(headline)) if headline else (),
        distrust=tuple(reasons_to_distrust(summary)),
    )


def _model(summary: RunSummary) -> str:
    results, model = summary.record.results, summary.model
    training = (results.get("splits") or {}).get("train") or {}
    groups = (results.get("groups") or {}).get("train")
    source = summary.record.inputs.get("data", {}).get("path")
    size = model.parameters if model else None
    stain = str(model.stain.get("method", "none")) if model else "none"
    return "".join(
        (
            summary.architecture,
            "" if size is None else f" ({count(size)} parameters)",
            f" was trained on {f'{count(sum(training.values()))} ' if training else ''}tiles",
            f" from {count(groups)} groups" if isinstance(groups, int) else "",
            # A report is handed on: where the data lies is for its maker, and stands in run.json.
            f" of {Path(source).name}" if source else "",
            f" to tell the classes {listed(summary.classes)} apart" if summary.classes else "",
            ", without stain normalization."
            if stain == "none"
            else f"; {stain.capitalize()} stain normalization is part of the model.",
        )
    )


def _training(summary: RunSummary) -> list[str]:
    best, seconds = summary.best_epoch, summary.record.results.get("seconds")
    weights = summary.model.weights if summary.model else None
    sentences = [f"Weights at the start: {weights.rstrip('.')}."] if weights else []
    if best is not None:
        took = f" in {duration(seconds)}" if isinstance(seconds, int | float) else ""
        epochs = len(summary.history)
        sentences.append(
            f"It ran {counted(epochs, 'epoch')}{took} on {summary.record.device}; "
            f"epoch {best.epoch} was kept for its validation AUROC of {number(best.valid_auroc)}."
        )
    reason = summary.record.results.get("stain_reason")
    return [*sentences, f"{str(reason).rstrip('.')}."] if reason else sentences


def _how_good(evaluation: Evaluation) -> list[str]:
    metrics, positive = evaluation.metrics["metrics"], evaluation.metrics.get("positive_class")
    groups = evaluation.metrics.get("groups")
    of_groups = f" from {count(groups)} groups" if groups else ""
    where = f"On the {evaluation.split} split, {count(evaluation.metrics.get('tiles'))} tiles"
    sentences = [f"{where}{of_groups}, {_ranking(_value(metrics, 'auroc'), positive)}"]
    decisions = _of_two(evaluation, positive) if positive else _of_several(evaluation)
    return [*sentences, *decisions, *_calibration(evaluation)]


def _ranking(auroc: float | None, positive: str | None) -> str:
    if auroc is None:
        return "the AUROC is undefined."
    if positive is None:
        return f"the AUROC is {number(auroc)}, averaged over the classes (0.5 is chance)."
    times = round(100 * auroc)
    return (
        f"the AUROC is {number(auroc)}: shown one tile of class {positive} and one of the other, "
        f"the former gets the higher score about {times} times in 100 (chance: 50)."
    )


def _of_two(evaluation: Evaluation, positive: str) -> list[str]:
    metrics, threshold = evaluation.metrics["metrics"], evaluation.metrics.get("threshold")
    found, cleared = _value(metrics, "sensitivity"), _value(metrics, "specificity")
    if found is None or cleared is None:
        return []
    at = "" if threshold is None else f" of {number(threshold)}"
    sentence = (
        f"At its threshold{at} it finds {percent(found)} of the tiles of class {positive} "
        f"(sensitivity) and leaves {percent(cleared)} of the others alone (specificity)."
    )
    return [sentence]


def _of_several(evaluation: Evaluation) -> list[str]:
    right = _value(evaluation.metrics["metrics"], "accuracy")
    per_class = evaluation.metrics.get("per_class") or {}
    known = {name: _value(entries, "sensitivity") for name, entries in per_class.items()}
    shares = {name: share for name, share in known.items() if share is not None}
    sentences = [] if right is None else [f"It names the right class of {percent(right)} of them."]
    if shares:
        weakest = min(shares, key=lambda name: shares[name])
        sentences.append(
            f"The weakest class is {weakest}: it finds {percent(shares[weakest])} of these tiles."
        )
    return sentences


def _calibration(evaluation: Evaluation) -> list[str]:
    name = "expected_calibration_error"
    raw = _value(evaluation.metrics["metrics"], name)
    calibrated = _value(evaluation.metrics.get("calibrated") or {}, name)
    if raw is None:
        return []
    after = "" if calibrated is None else f", {percent(calibrated)} once calibrated"
    return [f"Its probabilities are off by {percent(raw)} on average{after}."]


def _how_sure(evaluation: Evaluation) -> list[str]:
    auroc = evaluation.metrics["metrics"].get("auroc") or {}
    level = percent(evaluation.metrics.get("confidence", 0.95), 0)
    bounds = interval(auroc)
    if not bounds:
        reason = f": {auroc['reason']}" if auroc.get("reason") else ""
        return [f"The AUROC has no interval{reason}."]
    sentences = [f"The {level} interval of the AUROC is {bounds}, by {interval_method(auroc)}."]
    alone = auroc.get("ci_unclustered")
    if isinstance(alone, list) and None not in alone:
        low, high = alone
        wider = auroc["ci_high"] - auroc["ci_low"] > high - low
        sentences.append(
            f"Tiles of one group resemble each other; taken for independent, they would give "
            f"{number(low)} to {number(high)}{', which is too narrow' if wider else ''}."
        )
    return sentences


def _value(metrics: Mapping[str, Any], name: str) -> float | None:
    value = (metrics.get(name) or {}).get("value")
    return None if value is None else float(value)
