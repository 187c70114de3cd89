"""What `histo evaluate` found beyond the table of metrics is on the page."""

import json
from pathlib import Path

from histocli.atomic_files import write_json
from histocli.metrics.analyses import Material, analyses
from histocli.metrics.comparison import compare
from histocli.metrics.pairing import Entrant
from histocli.predictions import Predictions
from histocli.report.collect import collect_run
from histocli.report.page import write_page
from tests.report.conftest import MakeRun, made_predictions


def test_differences_are_on_the_page_of_the_runs_that_were_compared(
    make_run: MakeRun, tmp_path: Path
) -> None:
    summaries = [collect_run(make_run(name)) for name in ("first", "second")]
    entrants = []
    for summary in summaries:
        judged = summary.evaluation("test")
        assert judged is not None
        assert judged.predictions is not None
        entrants.append(Entrant(summary.name, judged.predictions, "tumor"))
    compared = compare(entrants, split="test", bootstrap_samples=50, permutations=50)
    text = write_page(summaries, tmp_path / "page.html", compared).read_text()
    assert "<caption>Differences" in text
    assert "Right in A alone: 0 tiles" in text
    stale = {**compared, "split": "valid"}
    assert (
        "<caption>Differences" not in write_page(summaries, tmp_path / "b.html", stale).read_text()
    )


def test_an_evaluation_shows_every_analysis(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(classes=("a", "b", "c"))
    path = run / "evaluation" / "test" / "metrics.json"
    predictions = Predictions.read(path.with_name("predictions.csv"))
    material = Material(calibration={"method": "platt"}, valid=made_predictions(["a", "b", "c"]))
    found = analyses(
        predictions, split="test", positive_class="c", material=material, bootstrap_samples=20
    )
    write_json(path, json.loads(path.read_text()) | found)
    text = write_page([collect_run(run)], tmp_path / "page.html").read_text()
    for caption in (
        "Averages over the classes",
        "Confusion matrix as shares",
        "Calibration in parts",
        "Validation beside it",
        "Sanity",
        "The least certain tiles referred to a person",
        "Conformal sets",
    ):
        assert f"<caption>{caption}" in text, caption
