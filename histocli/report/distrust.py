"""What speaks against believing a run's figures: one small rule per reason."""

from collections.abc import Iterator, Mapping
from typing import Any

from histocli.plurals import counted
from histocli.report.explanation_section import audit_verdict
from histocli.report.run_summary import Evaluation, RunSummary
from histocli.report.wording import count, listed, number, percent

# Beyond this gap of AUROC the two splits tell different stories.
WORRYING_GAP = 0.03
# Fewer groups give an interval that is too narrow.
FEW_GROUPS = 20
# Fewer tiles of a class move its figures by several percent each.
FEW_TILES = 30
# A probability off by more should not be read as a risk.
WORRYING_CALIBRATION_ERROR = 0.05


def reasons_to_distrust(summary: RunSummary) -> list[str]:
    """Everything that the reader of the figures should know, the gravest first."""
    headline = summary.headline
    found = [*_of_labels(summary), *_of_groups(summary), *_of_leaks(summary)]
    if headline is not None:
        found += _of_split(summary, headline)
        found += _of_size(headline)
        found += _of_probabilities(headline)
    found += _of_training(summary)
    found += _of_attention(summary)
    found.append(
        "Nothing here shows how the model does on other scanners, stains or hospitals than those of "
        "this data set."
    )
    return found


def _of_labels(summary: RunSummary) -> Iterator[str]:
    if summary.record.settings.get("shuffle_labels"):
        yield "This model was trained on shuffled labels: a control for explanations, of no other use."


def _of_groups(summary: RunSummary) -> Iterator[str]:
    if not summary.record.results.get("groups"):
        yield (
            "No patients or slides are known: tiles of one slide may lie in several splits, and the "
            "intervals take tiles for independent. Both make the figures look better than they are."
        )


def _of_leaks(summary: RunSummary) -> Iterator[str]:
    headline, quality = summary.headline, summary.quality or {}
    found = (headline.metrics.get("sanity") or {}).get("warnings") if headline else None
    for warning in found or ():
        words = str(warning).rstrip(".")
        yield f"{words[:1].upper()}{words[1:]}."
    torn = len(quality.get("groups_across_splits") or ())
    twins = len(quality.get("leaks") or ())
    if not found and (torn or twins):
        yield (
            f"Quality control found {count(torn)} groups and {count(twins)} tiles or their twins in "
            "several splits: the figures look better than they are."
        )


def _of_split(summary: RunSummary, headline: Evaluation) -> Iterator[str]:
    if headline.split != "test":
        yield (
            f"Only the {headline.split} split was evaluated; the model was chosen on it or has seen "
            "it, so expect worse on new data."
        )
        return
    valid = summary.evaluation("valid")
    one = _auroc(valid) if valid else None
    other = _auroc(headline)
    if one is not None and other is not None and abs(one - other) > WORRYING_GAP:
        yield (
            f"Validation ({number(one)}) and test ({number(other)}) AUROC disagree: the splits "
            "differ, so expect another figure again on new data."
        )


def _of_size(headline: Evaluation) -> Iterator[str]:
    metrics = headline.metrics
    groups = metrics.get("groups")
    if isinstance(groups, int) and groups < FEW_GROUPS:
        yield (
            f"Only {counted(groups, 'group')} in the {headline.split} split: "
            "the intervals are rough, and likely too narrow."
        )
    sizes = zip(metrics["classes"], (sum(row) for row in metrics["confusion_matrix"]), strict=True)
    small = [f"{name} ({count(tiles)})" for name, tiles in sizes if tiles < FEW_TILES]
    if small:
        yield f"Few tiles of {listed(small)} in the {headline.split} split: single tiles matter."
    unlabelled = metrics.get("unlabelled")
    if unlabelled:
        yield f"{count(unlabelled)} tiles of the {headline.split} split have no label: left out."


def _of_probabilities(headline: Evaluation) -> Iterator[str]:
    metrics, name = headline.metrics, "expected_calibration_error"
    entry = (metrics.get("calibrated") or metrics["metrics"]).get(name) or {}
    error = entry.get("value")
    if error is not None and error > WORRYING_CALIBRATION_ERROR:
        yield f"Probabilities are off by {percent(error)} on average: do not read them as risks."
    positive = metrics.get("positive_class")
    prevalence = (metrics.get("prevalence") or {}).get(positive)
    if prevalence is not None:
        yield (
            f"PPV and NPV hold where {percent(prevalence)} of the tiles are of class {positive}, as "
            "here; where it is rarer, PPV is lower."
        )


def _of_training(summary: RunSummary) -> Iterator[str]:
    record = summary.record
    if record.state != "done":
        yield f"The training has not ended (state: {record.state})."
    skipped = record.results.get("skipped")
    if skipped:
        tiles, were = ("tile", "was") if skipped == 1 else ("tiles", "were")
        yield f"{count(skipped)} {tiles} could not be read and {were} left out (skipped.csv)."


def _of_attention(summary: RunSummary) -> Iterator[str]:
    attention = (summary.explanation.attention if summary.explanation else None) or {}
    if audit_verdict(attention).get("passes") is False:
        yield (
            "The attention maps fail their audit (section Explanations): do not take them for what "
            "the model decides by."
        )
    positive = (attention.get("explained") or {}).get("class")
    group: Mapping[str, Any] = (attention.get("groups") or {}).get(positive) or {}
    enrichment = group.get("enrichment") or {}
    value, low = enrichment.get("value"), enrichment.get("ci_low")
    if value is not None and (value if low is None else low) <= 1:
        yield (
            f"On tiles of class {positive} the center draws no more attention than chance "
            f"({number(value, 2)} times): if the label lies there, the model may look elsewhere."
        )


def _auroc(evaluation: Evaluation) -> float | None:
    value = (evaluation.metrics["metrics"].get("auroc") or {}).get("value")
    return None if value is None else float(value)
