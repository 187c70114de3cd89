from dataclasses import replace
from typing import Any

import pytest

from histocli.report.collect import collect_run
from histocli.report.run_summary import Evaluation, RunSummary
from histocli.report.summary import summarize
from tests.report.conftest import MakeRun


def with_metrics(summary: RunSummary, split: str = "test", **changes: Any) -> RunSummary:
    """The run with other content of one ``metrics.json``."""
    return replace(
        summary,
        evaluations=tuple(
            Evaluation(each.split, {**each.metrics, **changes}, None, ())
            if each.split == split
            else each
            for each in summary.evaluations
        ),
    )


def with_results(summary: RunSummary, **changes: Any) -> RunSummary:
    results = {**summary.record.results, **changes}
    return replace(summary, record=replace(summary.record, results=results))


def distrust(summary: RunSummary) -> str:
    return " ".join(summarize(summary).distrust)


def test_two_classes_in_plain_words(make_run: MakeRun) -> None:
    words = summarize(collect_run(make_run()))
    what, good, sure = (" ".join(each) for each in (words.what, words.how_good, words.how_sure))
    assert (
        "trained on 100 tiles from 12 groups of data to tell the classes normal and tumor apart"
        in what
    )
    assert "without stain normalization" in what
    assert "epoch 2 was kept" in what
    assert "120 tiles from 20 groups" in good
    assert "shown one tile of class tumor" in good
    assert "threshold of 0.410" in good
    assert "once calibrated" in good
    assert "interval of the AUROC is" in sure
    assert "by a bootstrap-t of whole groups" in sure
    assert "taken for independent" in sure


def test_several_classes_name_the_weakest(make_run: MakeRun) -> None:
    words = summarize(collect_run(make_run(classes=("a", "b", "c"))))
    assert "averaged over the classes" in words.how_good[0]
    assert any("weakest class is" in sentence for sentence in words.how_good)
    assert not any("PPV" in sentence for sentence in words.distrust)


def test_what_is_undefined_is_not_invented(make_run: MakeRun) -> None:
    summary = collect_run(make_run())
    nothing = {"value": None, "ci_low": None, "ci_high": None, "reason": "only one class"}
    names = summary.evaluations[1].metrics["metrics"]
    words = summarize(with_metrics(summary, metrics=dict.fromkeys(names, nothing), calibrated=None))
    assert words.how_good == (
        "On the test split, 120 tiles from 20 groups, the AUROC is undefined.",
    )
    assert words.how_sure == ("The AUROC has no interval: only one class.",)


def test_a_run_without_evaluation_has_no_quality(make_run: MakeRun) -> None:
    words = summarize(collect_run(make_run(splits=(), explained=False)))
    assert words.how_good == ()
    assert words.how_sure == ()


def test_a_good_run_still_says_what_it_cannot_show(make_run: MakeRun) -> None:
    assert "scanners, stains or hospitals" in distrust(collect_run(make_run()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"groups": 3}, "Only 3 groups"),
        ({"groups": 1}, "Only 1 group in"),
        ({"confusion_matrix": [[100, 0], [9, 11]]}, "Few tiles of tumor (20)"),
        ({"unlabelled": 7}, "7 tiles of the test split have no label"),
        ({"prevalence": {"tumor": 0.5, "normal": 0.5}}, "hold where 50.0"),
        (
            {"calibrated": {"expected_calibration_error": {"value": 0.2}}},
            "do not read them as risks",
        ),
    ],
)
def test_an_evaluation_is_distrusted(
    make_run: MakeRun, changes: dict[str, Any], words: str
) -> None:
    summary = collect_run(make_run())
    assert words in distrust(with_metrics(summary, **changes))


def test_a_run_is_distrusted(make_run: MakeRun) -> None:
    summary = collect_run(make_run())
    assert "1 tile could not be read" in distrust(summary)
    assert "tiles of one slide may lie in several splits" in distrust(
        with_results(summary, groups={})
    )
    stopped = replace(summary, record=replace(summary.record, state="stopped"))
    assert "has not ended (state: stopped)" in distrust(stopped)
    settings = {**summary.record.settings, "shuffle_labels": True}
    control = replace(summary, record=replace(summary.record, settings=settings))
    assert "trained on shuffled labels" in distrust(control)
    assert "shuffled labels" not in distrust(summary)


def test_leaks_are_distrusted_wherever_they_were_found(make_run: MakeRun) -> None:
    summary = collect_run(make_run())
    assert "several splits: the figures" not in distrust(summary)
    checked = replace(summary, quality={"groups_across_splits": ["a", "b"], "leaks": []})
    assert "found 2 groups and 0 tiles or their twins in several splits" in distrust(checked)
    warned = with_metrics(summary, sanity={"warnings": ["3 tiles of test have a twin in train"]})
    assert "3 tiles of test have a twin in train." in distrust(warned)


def test_validation_alone_is_distrusted(make_run: MakeRun) -> None:
    assert "Only the valid split" in distrust(collect_run(make_run(splits=("valid",))))


def test_splits_that_disagree_are_distrusted(make_run: MakeRun) -> None:
    summary = collect_run(make_run())
    same = with_metrics(summary, "valid", metrics=summary.evaluations[1].metrics["metrics"])
    assert "disagree" not in distrust(same)
    better = {**summary.evaluations[1].metrics["metrics"], "auroc": {"value": 0.9999}}
    assert "disagree" in distrust(with_metrics(summary, "valid", metrics=better))


@pytest.mark.parametrize(
    ("enrichment", "distrusted"),
    [
        ({"value": 2.0, "ci_low": 1.5, "ci_high": 2.5}, False),
        ({"value": 1.2, "ci_low": 0.9, "ci_high": 1.5}, True),
        ({"value": 0.8}, True),
        ({"value": None}, False),
    ],
)
def test_attention_that_is_chance_is_distrusted(
    make_run: MakeRun, enrichment: dict[str, Any], *, distrusted: bool
) -> None:
    summary = collect_run(make_run())
    assert summary.explanation is not None
    attention = {"explained": {"class": "tumor"}, "groups": {"tumor": {"enrichment": enrichment}}}
    changed = replace(summary, explanation=replace(summary.explanation, attention=attention))
    assert ("no more attention than chance" in distrust(changed)) == distrusted
