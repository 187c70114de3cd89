"""What a run knows that a reporting checklist asks for: one sentence or None for each fact."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from histocli.plurals import counted
from histocli.report.run_summary import RunSummary
from histocli.report.wording import count, estimate, interval_method, listed, metric_label, number

Fact = Callable[[RunSummary], str | None]


def _judged(summary: RunSummary, key: str) -> Any:
    headline = summary.headline
    return headline.metrics.get(key) if headline else None


def _settings(summary: RunSummary, *names: str) -> str:
    known = summary.record.settings
    return ", ".join(f"{name} {known[name]}" for name in names if known.get(name) is not None)


def _mapping(content: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in content.items())


def _data(summary: RunSummary) -> str | None:
    facts = summary.record.inputs.get("data") or {}
    return (
        f"Data set {Path(facts['path']).name}, {count(facts.get('tiles'))} tiles."
        if "path" in facts
        else None
    )


def _fingerprint(summary: RunSummary) -> str | None:
    digest = (summary.record.inputs.get("data") or {}).get("sha256")
    return f"SHA-256 of the data used: {digest}." if digest else None


def _sizes(summary: RunSummary) -> str | None:
    splits = summary.record.results.get("splits") or {}
    parts = [
        f"{split}: {', '.join(f'{count(n)} of {name}' for name, n in tiles.items())}"
        for split, tiles in splits.items()
    ]
    return f"Tiles by class, {'; '.join(parts)}." if parts else None


def _partition(summary: RunSummary) -> str | None:
    divided = summary.record.results.get("divided_by_histo")
    if divided is None:
        return None
    if not divided:
        return "The splits came with the data set."
    return f"histocli divided the data (splits.csv), seed {summary.record.seed}."


def _groups(summary: RunSummary) -> str | None:
    if summary.record.results.get("groups"):
        return "Patients or slides are known as groups, and counted in each split."
    return "No patients or slides are known: disjoint by tile only."


def _skipped(summary: RunSummary) -> str | None:
    skipped = summary.record.results.get("skipped")
    return None if skipped is None else f"{count(skipped)} unreadable tiles left out."


def _unlabelled(summary: RunSummary) -> str | None:
    unlabelled = _judged(summary, "unlabelled")
    return None if unlabelled is None else f"{count(unlabelled)} evaluated tiles had no label."


def _preprocessing(summary: RunSummary) -> str | None:
    content = summary.model.preprocessing if summary.model else {}
    return f"Preprocessing: {_mapping(content)}." if content else None


def _input_size(summary: RunSummary) -> str | None:
    size = (summary.model.preprocessing if summary.model else {}).get("input_size_px")
    return f"Tiles, read by the model at {size} pixels." if size else None


def _stain(summary: RunSummary) -> str | None:
    return (
        f"Stain normalization: {summary.model.stain.get('method', 'none')}."
        if summary.model
        else None
    )


def _classes(summary: RunSummary) -> str | None:
    if not summary.classes:
        return None
    positive = summary.model.positive_class if summary.model else None
    return f"Classes {listed(summary.classes)}{f'; positive: {positive}' if positive else ''}."


def _model(summary: RunSummary) -> str:
    size = summary.model.parameters if summary.model else None
    return f"{summary.architecture}{f', {count(size)} parameters' if size else ''}."


def _training(summary: RunSummary) -> str | None:
    chosen = _settings(
        summary, "recipe", "epochs", "batch_size", "learning_rate", "optimizer", "augmentation"
    )
    return f"{counted(len(summary.history), 'epoch')}; {chosen}." if summary.history else None


def _selection(summary: RunSummary) -> str | None:
    best = summary.best_epoch
    return f"Epoch {best.epoch}, by validation AUROC {number(best.valid_auroc)}." if best else None


def _decision(summary: RunSummary) -> str | None:
    point = summary.model.operating_point if summary.model else {}
    if point.get("threshold") is None:
        return (
            "A probability for each class; the most probable is chosen." if summary.model else None
        )
    how = f", chosen by {point['chosen_by']}" if point.get("chosen_by") else ""
    return f"A probability; threshold {number(point['threshold'])}{how}."


def _calibration(summary: RunSummary) -> str | None:
    method = summary.model.calibration_method if summary.model else None
    return f"Calibration: {method}, fitted on the validation split." if method else None


def _balance(summary: RunSummary) -> str | None:
    chosen = _settings(summary, "loss", "sampling", "class_weights")
    return f"Settings: {chosen}." if chosen else None


def _measures(summary: RunSummary) -> str | None:
    entries = _judged(summary, "metrics")
    return f"{listed([metric_label(each) for each in entries])}." if entries else None


def _uncertainty(summary: RunSummary) -> str | None:
    auroc = (_judged(summary, "metrics") or {}).get("auroc") or {}
    return f"Intervals of the AUROC by {interval_method(auroc)}." if auroc.get("method") else None


def _performance(summary: RunSummary) -> str | None:
    parts = [
        f"{each.split}: AUROC {estimate(each.metrics['metrics'].get('auroc'))}"
        for each in summary.evaluations
    ]
    return f"{'; '.join(parts)}." if parts else None


def _diagnostic(summary: RunSummary) -> str | None:
    headline = summary.headline
    if headline is None:
        return None
    several = headline.metrics.get("positive_class") is None
    names = ("accuracy", "balanced_accuracy") if several else ("sensitivity", "specificity")
    entries = headline.metrics["metrics"]
    parts = [f"{metric_label(name)} {estimate(entries.get(name))}" for name in names]
    return f"{headline.split}, at the stored operating point: {', '.join(parts)}."


def _ensemble(summary: RunSummary) -> str | None:
    if summary.model is None:
        return None
    members = summary.model.members
    return f"The mean of {count(members)} models." if members else "None: a single model."


def _section(key: str, sentence: str) -> Fact:
    def fact(summary: RunSummary) -> str | None:
        return sentence if _judged(summary, key) else None

    return fact


def _explanation(summary: RunSummary) -> str | None:
    attention = summary.explanation.attention if summary.explanation else None
    return (
        f"Method {attention.get('method', 'unknown')}, section Explanations." if attention else None
    )


def _failures(summary: RunSummary) -> str | None:
    headline = summary.headline
    return "Confusion matrix and gallery of errors on this page." if headline else None


def _software(summary: RunSummary) -> str:
    packages = _mapping(summary.record.packages)
    return f"histocli {summary.record.version}, Python {summary.record.python}, {packages}."


def _initialization(summary: RunSummary) -> str | None:
    weights = summary.model.weights if summary.model else None
    return f"Weights at the start: {weights.rstrip('.')}." if weights else None


FACTS: dict[str, Fact] = {
    "data": _data,
    "fingerprint": _fingerprint,
    "sizes": _sizes,
    "partition": _partition,
    "groups": _groups,
    "skipped": _skipped,
    "unlabelled": _unlabelled,
    "preprocessing": _preprocessing,
    "input_size": _input_size,
    "stain": _stain,
    "classes": _classes,
    "predictors": lambda _: "The pixels of the tile alone.",
    "model": _model,
    "training": _training,
    "selection": _selection,
    "decision": _decision,
    "calibration": _calibration,
    "balance": _balance,
    "measures": _measures,
    "uncertainty": _uncertainty,
    "performance": _performance,
    "diagnostic": _diagnostic,
    "ensemble": _ensemble,
    "subgroups": _section("subgroups", "Subgroups were evaluated: see the table of subgroups."),
    "aggregated": _section(
        "aggregated", "Groups were evaluated: see the table of slides or patients."
    ),
    "stress": _section("stress", "Perturbed tiles were evaluated: see the table of stress."),
    "explanation": _explanation,
    "failures": _failures,
    "limits": lambda _: "See What to distrust, at the top.",
    "software": _software,
    "initialization": _initialization,
    "files": lambda summary: (
        "best_model.safetensors and best_model.json." if summary.model else None
    ),
}
