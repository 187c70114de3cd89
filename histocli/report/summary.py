"""A run in plain words: what was done, how good it is, how sure that is, what to distrust."""

from collections.abc import Mapping
from typing import Any

from histocli.report.run_summary import Evaluation, RunSummary
from histocli.report.wording import count, interval, number, percent

# Beyond this gap between two splits the lower one should be believed.
WORRYING_GAP = 0.03
# Fewer groups give an interval that is too narrow.
FEW_GROUPS = 20


def summarize(summary: RunSummary) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sentences on the run, and what speaks against believing them."""
    sentences = [_what(summary)]
    headline = summary.headline
    if headline is None:
        sentences.append("It has not been evaluated: run `histo evaluate`.")
    else:
        sentences += _how_good(headline)
    return tuple(sentences), tuple(_distrust(summary))


def _what(summary: RunSummary) -> str:
    results = summary.record.results
    training = (results.get("splits") or {}).get("train") or {}
    tiles = f"{count(sum(training.values()))} tiles" if training else "tiles"
    groups = (results.get("groups") or {}).get("train")
    source = summary.record.inputs.get("data", {}).get("path", "unknown data")
    classes = ", ".join(summary.classes) or "unknown classes"
    stain = str(summary.model.stain.get("method", "none")) if summary.model else "none"
    inside = (
        "without stain normalization" if stain == "none" else f"with {stain} normalization inside"
    )
    from_groups = f" from {count(groups)} groups" if groups else ""
    return (
        f"{summary.architecture} was trained on {tiles}{from_groups} of {source} to tell {classes} "
        f"apart, {inside}."
    )


def _how_good(evaluation: Evaluation) -> list[str]:
    metrics = evaluation.metrics["metrics"]
    auroc = metrics.get("auroc") or {}
    tiles = count(evaluation.metrics.get("tiles"))
    sentences = []
    if auroc.get("value") is None:
        sentences.append(f"On the {tiles} {evaluation.split} tiles the AUROC is undefined.")
    else:
        bounds = interval(auroc)
        sure = f" (95 % interval {bounds}; {auroc.get('method')})" if bounds else ""
        sentences.append(
            f"On the {tiles} {evaluation.split} tiles its AUROC is {number(auroc['value'])}{sure}."
        )
    sensitivity, specificity = (metrics.get(name) or {} for name in ("sensitivity", "specificity"))
    positive = evaluation.metrics.get("positive_class")
    if positive and sensitivity.get("value") is not None and specificity.get("value") is not None:
        sentences.append(
            f"At its operating point it finds {percent(sensitivity['value'])} of the tiles of class "
            f"{positive} and leaves {percent(specificity['value'])} of the others alone."
        )
    elif (balanced := metrics.get("balanced_accuracy") or {}).get("value") is not None:
        sentences.append(f"Its balanced accuracy is {percent(balanced['value'])}.")
    return sentences


def _distrust(summary: RunSummary) -> list[str]:
    found = []
    groups = summary.record.results.get("groups") or {}
    if not groups:
        found.append(
            "No patients or slides are known: tiles of one slide may lie in several splits, and the "
            "intervals take tiles for independent. Both make the figures look better than they are."
        )
    headline = summary.headline
    if headline is not None:
        found += _distrust_evaluation(summary, headline, groups)
    if summary.record.state != "done":
        found.append(f"The training has not ended (state: {summary.record.state}).")
    skipped = summary.record.results.get("skipped")
    if skipped:
        found.append(f"{count(skipped)} tiles could not be read and were left out (skipped.csv).")
    return found


def _distrust_evaluation(
    summary: RunSummary, headline: Evaluation, groups: Mapping[str, Any]
) -> list[str]:
    found = []
    if headline.split != "test":
        found.append(
            f"Only the {headline.split} split was evaluated; the model was chosen on it or has seen it."
        )
    known = headline.metrics.get("groups")
    if groups and isinstance(known, int) and known < FEW_GROUPS:
        found.append(
            f"Only {known} groups are in the {headline.split} split: its intervals are rough."
        )
    valid = summary.evaluation("valid")
    if valid is not None and headline.split == "test":
        one, other = (
            (each.metrics["metrics"].get("auroc") or {}).get("value") for each in (valid, headline)
        )
        if one is not None and other is not None and abs(one - other) > WORRYING_GAP:
            found.append(
                f"Validation ({number(one)}) and test ({number(other)}) AUROC disagree: the splits "
                "differ, so expect another figure again on new data."
            )
    shares = (headline.metrics.get("prevalence") or {}).values()
    if shares and headline.metrics.get("positive_class"):
        found.append(
            "PPV and NPV hold at the prevalence of these tiles "
            f"({', '.join(f'{k} {percent(v)}' for k, v in headline.metrics['prevalence'].items())}); "
            "where the positive class is rarer, PPV is lower."
        )
    return found
