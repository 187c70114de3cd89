import pytest

from histocli.metrics.analyses import Material, analyses
from histocli.metrics.evaluate import evaluate
from histocli.metrics.operating_rules import parse_rules
from histocli.report.analysis_tables import analysis_tables, conformal_table, selective_table
from histocli.report.wording import estimate
from tests.report.conftest import made_predictions

PPV = "positive_predictive_value"


@pytest.mark.parametrize("classes", [["normal", "tumor"], ["a", "b", "c"]])
def test_each_analysis_that_was_asked_for_has_its_table(classes: list[str]) -> None:
    predictions = made_predictions(classes)
    material = Material(
        valid=made_predictions(classes, seed=1),
        rules=parse_rules(["sensitivity=0.9,youden"]),
        prevalence=0.02,
        columns={"look": [f"look {row % 2}" for row in range(120)]},
        aggregations=["mean", "max"],
        undisturbed=predictions,
        disturbed=[("blur", "pixels", 1.0, predictions), ("blur", "pixels", 2.0, predictions)],
        color=predictions.probabilities,
    )
    metrics = evaluate(
        predictions,
        split="test",
        positive_class=classes[-1],
        threshold=0.5,
        bootstrap_samples=20,
    ) | analyses(
        predictions,
        split="test",
        positive_class=classes[-1],
        material=material,
        bootstrap_samples=20,
    )
    tables = {table.caption: table for table in analysis_tables(metrics)}
    sets = conformal_table(metrics)
    assert [row[0] for row in sets.rows] == [
        f"{promised}\N{NO-BREAK SPACE}%{where}"
        for promised in (90, 95)
        for where in ("", " in each class")
    ]
    tables[sets.caption] = sets
    for table in tables.values():
        assert all(len(row) == len(table.header) for row in table.rows)
    assert [row[0].removesuffix(" (small)") for row in tables["Subgroups"].rows] == [
        "look: look 0",
        "look: look 1",
    ]
    assert tables["Slides or patients"].rows[0][:2] == ["mean", "20"]
    points = tables.get("Thresholds chosen on the validation split")
    assert (points is not None) == (len(classes) == 2)
    if points is not None:
        assert [row[0] for row in points.rows] == ["sensitivity=0.9", "youden"]
        assert "sensitivity=0.9: on this split PPV is" in points.notes[0]
        assert "sensitivity=0.9: at a prevalence of 2.0" in points.notes[1]
        elsewhere = tables["Predictive values elsewhere"]
        at = metrics["at_prevalence"]["positive_predictive_value"]
        assert elsewhere.rows[0] == ["PPV", estimate(metrics["metrics"][PPV]), estimate(at)]
    beside = tables["Validation beside it"]
    assert beside.header == ("Metric", "valid", "test")
    assert beside.rows[0][2] == estimate(metrics["sanity"]["agreement"]["test"]["auroc"])
    sanity = dict(tables["Sanity"].rows)
    assert sanity["AUROC of color alone"] == estimate(metrics["sanity"]["color"]["auroc"])
    p_values = [name for name in sanity if name.endswith("shuffled")]
    assert len(p_values) == (1 if len(classes) == 2 else len(classes))
    referred = selective_table(metrics)
    assert [row[1] for row in referred.rows[:2]] == ["120", "114"]


def test_without_a_request_there_is_what_stands_beside_every_score() -> None:
    predictions = made_predictions(["normal", "tumor"])
    found = analyses(
        predictions,
        split="test",
        positive_class="tumor",
        material=Material(),
        bootstrap_samples=20,
    )
    (sanity,) = analysis_tables({**found, "split": "test"})
    assert [row[0] for row in sanity.rows] == [
        f"Accuracy of always {found['sanity']['majority']['class']}",
        "p, labels of tumor shuffled",
        "Labels that may be wrong",
        "Tiles whose label is doubted",
    ]
    assert float(sanity.rows[1][1]) == pytest.approx(
        found["sanity"]["permutation"]["p_value"]["tumor"]
    )
