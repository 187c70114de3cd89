from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from histocli.metrics.analyses import Material, analyses
from histocli.metrics.evaluate import evaluate
from histocli.report.evaluation_figures import ANALYSIS_FIGURES, evaluation_figures
from tests.report.conftest import made_predictions

QUICK: dict[str, Any] = {"split": "test", "bootstrap_samples": 20}


def measured(classes: list[str], *, one_class: bool = False) -> tuple[Any, dict[str, Any]]:
    predictions = made_predictions(classes)
    if one_class:
        object.__setattr__(predictions, "labels", [classes[0]] * len(predictions.tiles))
    positive = classes[-1]
    material = Material(
        columns={"look": [f"look {row % 4}" for row in range(120)]},
        undisturbed=predictions,
        disturbed=[
            (name, unit, strength, predictions)
            for name, unit in (("stain", "share"), ("blur", "pixels"), ("new", "things"))
            for strength in (0.1, 0.2)
        ],
    )
    metrics = evaluate(predictions, positive_class=positive, threshold=0.5, **QUICK)
    return predictions, metrics | analyses(
        predictions, positive_class=positive, material=material, **QUICK
    )


@pytest.mark.parametrize("classes", [["normal", "tumor"], ["a", "b", "c", "d"]])
def test_each_analysis_has_its_figure_with_the_same_bytes_each_time(
    classes: list[str], tmp_path: Path
) -> None:
    _, metrics = measured(classes)
    for name, draw in ANALYSIS_FIGURES.items():
        one = draw(metrics, tmp_path / f"{name}.png")
        two = draw(metrics, tmp_path / f"{name} again.png")
        assert one.read_bytes() == two.read_bytes()
        with Image.open(one) as image:
            # Ink on paper: an empty figure would be white throughout.
            assert (np.asarray(image.convert("L")) < 128).mean() > 0.002


def test_what_is_undefined_is_drawn_without_a_warning(tmp_path: Path) -> None:
    _, metrics = measured(["normal", "tumor"], one_class=True)
    for name, draw in ANALYSIS_FIGURES.items():
        assert draw(metrics, tmp_path / f"{name}.png").exists()


def test_figures_of_an_earlier_evaluation_are_removed(tmp_path: Path) -> None:
    predictions, metrics = measured(["normal", "tumor"])
    evaluation_figures(predictions, metrics, tmp_path)
    assert (tmp_path / "stress.png").exists()
    del metrics["stress"]
    names = [path.name for path in evaluation_figures(predictions, metrics, tmp_path)]
    assert "stress.png" not in names
    assert not (tmp_path / "stress.png").exists()
    assert "decision_curve.png" in names
