import io

import numpy as np
from PIL import Image

from histocli.report.collect import collect_run
from histocli.report.error_gallery import gallery, worst_errors
from tests.report.conftest import MakeRun


def png() -> bytes:
    output = io.BytesIO()
    Image.fromarray(np.full((300, 300, 3), 180, np.uint8)).save(output, "PNG")
    return output.getvalue()


def test_false_negatives_come_first_and_the_surest_of_each_kind(make_run: MakeRun) -> None:
    summary = collect_run(make_run())
    errors = worst_errors(summary, shown=3)
    assert [each.kind for each in errors] == ["False negative"] * 3 + ["False positive"] * 3
    headline = summary.headline
    assert headline is not None
    predictions = headline.predictions
    assert predictions is not None
    assert predictions.labels is not None
    missed = [
        probabilities[0]
        for probabilities, label, predicted in zip(
            predictions.probabilities, predictions.labels, predictions.predicted, strict=True
        )
        if label == "tumor" and predicted == "normal"
    ]
    np.testing.assert_allclose([e.certainty for e in errors[:3]], sorted(missed)[::-1][:3])
    assert all(each.label == "tumor" for each in errors[:3])


def test_of_several_classes_every_error_is_a_wrong_class(make_run: MakeRun) -> None:
    summary = collect_run(make_run(classes=("a", "b", "c")))
    assert {each.kind for each in worst_errors(summary)} == {"Wrong class"}


def test_only_tiles_at_hand_are_shown_and_small(make_run: MakeRun) -> None:
    summary = collect_run(make_run())
    first = worst_errors(summary)[0].tile
    assert gallery(summary, {}) == []
    (shown,) = gallery(summary, {first: png()})
    assert first in shown.words
    assert (shown.picture.width, shown.picture.height) == (144, 144)
    assert shown.picture.uri.startswith("data:image/jpeg;base64,")


def test_a_run_without_evaluation_has_no_errors(make_run: MakeRun) -> None:
    assert worst_errors(collect_run(make_run(splits=()))) == []
