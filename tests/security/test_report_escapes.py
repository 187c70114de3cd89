"""A report shows names from data as text, never as markup."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from histocli import report
from histocli.atomic_files import write_csv, write_json
from histocli.cli.app import app
from histocli.metrics.evaluate import evaluate
from histocli.predictions import Predictions
from histocli.report.figures import evaluation_figures
from histocli.run_record import RunRecord

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
)


class Markup(HTMLParser):
    """The elements of a page, and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and data.strip():
            self.scripts.append(data.strip())


def hostile_run(folder: Path, attack: str) -> Path:
    """A run whose every name comes from an attacker."""
    run = folder / "runs" / "run"
    classes = [f"a{attack}", f"b{attack}"]
    scores = np.random.default_rng(0).dirichlet([1, 1], 40)
    predictions = Predictions(
        tiles=[f"{attack}/{n}.png" for n in range(40)],
        classes=classes,
        probabilities=scores,
        predicted=[classes[k] for k in scores.argmax(1)],
        labels=[classes[n % 2] for n in range(40)],
        groups=[f"{attack}{n // 4}" for n in range(40)],
        calibrated=scores,
    )
    record = RunRecord(
        "train", {"arch": attack, "name": attack}, {"data": {"path": attack, "sha256": attack}}
    )
    counts = dict.fromkeys(classes, 20)
    record.finish(run, classes=classes, splits={"test": counts}, groups={"test": 4}, best_epoch=1)
    card = {
        "architecture": attack,
        "classes": classes,
        "positive_class": classes[1],
        "preprocessing": {"input_size_px": 96},
        "stain": {"method": attack},
        "operating_point": {"threshold": 0.4, "chosen_by": attack},
        "calibration": {"temperature": 1.0},
        "parameters": 1,
        "weights": attack,
    }
    write_json(run / "best_model.json", card)
    header = ["epoch", "learning_rate", "train_loss", "valid_loss", "valid_auroc"]
    write_csv(
        run / "history.csv",
        [*header, "images_per_second", "seconds"],
        [[1, 1e-3, 0.7, 0.8, 0.7, 50, 9]],
    )
    metrics = evaluate(
        predictions,
        split="test",
        positive_class=classes[1],
        threshold=0.4,
        bootstrap_samples=100,
    )
    evaluation = run / "evaluation" / "test"
    predictions.write(evaluation / "predictions.csv")
    write_json(evaluation / "metrics.json", metrics)
    evaluation_figures(predictions, metrics, evaluation)
    write_csv(run / "skipped.csv", ["tile", "reason"], [[attack, attack]])
    return run


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_name_becomes_markup(tmp_path: Path, attack: str) -> None:
    run = hostile_run(tmp_path, attack)
    output = tmp_path / "report.html"
    result = CliRunner().invoke(app, ["report", str(run), "--output", str(output)])
    assert result.exit_code == 0, result.output
    page = output.read_text()
    markup = Markup()
    markup.feed(page)
    for tag, attributes in markup.elements:
        assert tag not in ("iframe", "object", "embed"), tag
        assert not any(each.startswith("on") for each in attributes), (tag, attributes)
        source = attributes.get("src") or ""
        assert not source or source.startswith("data:image/"), source[:80]
    shipped = {path.read_text().strip() for path in Path(report.__file__).parent.glob("*.js")}
    assert {text for text in markup.scripts if "alert(1)" in text} == set()
    assert sum(tag == "script" for tag, _ in markup.elements) <= len(shipped)
    # The names are shown: what is never written needs no escaping.
    assert "alert(1)" in page or "7 * 7" in page
