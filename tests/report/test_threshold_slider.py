from dataclasses import replace

import numpy as np

from histocli.report.collect import collect_run
from histocli.report.threshold_slider import STEPS, threshold_slider
from tests.report.conftest import MakeRun


def test_counts_above_each_step_are_those_of_the_predictions(make_run: MakeRun) -> None:
    summary = collect_run(make_run())
    slider = threshold_slider(summary)
    headline = summary.headline
    assert slider is not None
    assert headline is not None
    predictions = headline.predictions
    assert predictions is not None
    probability = predictions.probabilities[:, 1]
    for step in (0, 1, 410, 999, 1000):
        called = probability >= step / STEPS
        assert sum(slider.positives[step:]) == int(
            (called & (predictions.label_indices == 1)).sum()
        )
        assert sum(slider.negatives[step:]) == int(
            (called & (predictions.label_indices == 0)).sum()
        )
    assert slider.start == 410
    assert len(slider.positives) == STEPS + 1
    assert np.sum(slider.positives) + np.sum(slider.negatives) == len(probability)


def test_several_classes_have_no_slider(make_run: MakeRun) -> None:
    assert threshold_slider(collect_run(make_run(classes=("a", "b", "c")))) is None


def test_a_run_without_evaluation_has_no_slider(make_run: MakeRun) -> None:
    assert threshold_slider(collect_run(make_run(splits=()))) is None


def test_it_starts_at_the_operating_point_itself(make_run: MakeRun) -> None:
    """A tile between the threshold and its thousandth is called as the matrix beside it calls it."""
    summary = collect_run(make_run())
    headline = summary.headline
    assert headline is not None
    assert headline.predictions is not None
    probability = np.sort(headline.predictions.probabilities[:, 1])
    for threshold in (float(probability[3]), float(probability[-3]), float(probability[7]) + 1e-9):
        metrics = {**headline.metrics, "threshold": threshold}
        slider = threshold_slider(
            replace(summary, evaluations=(replace(headline, metrics=metrics),))
        )
        assert slider is not None
        called = sum(slider.positives[slider.start :]) + sum(slider.negatives[slider.start :])
        assert called == int((probability >= threshold).sum())
