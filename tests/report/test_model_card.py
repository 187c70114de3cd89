import json
from typing import Any

from histocli.report.collect import collect_run
from histocli.report.model_card import model_card, write_model_card
from tests.report.conftest import MakeRun


def front_matter(card: str) -> dict[str, Any]:
    _, front, _ = card.split("---\n", 2)
    pairs = (line.split(": ", 1) for line in front.splitlines())
    return {name: json.loads(value) for name, value in pairs}


def test_front_matter_names_the_task_and_the_results(make_run: MakeRun) -> None:
    run = make_run()
    path = write_model_card(collect_run(run), run / "MODEL_CARD.md")
    facts = front_matter(path.read_text())
    assert facts["pipeline_tag"] == "image-classification"
    (index,) = facts["model-index"]
    metrics = json.loads((run / "evaluation" / "test" / "metrics.json").read_text())["metrics"]
    last = {each["type"]: each["value"] for each in index["results"][-1]["metrics"]}
    assert last["auroc"] == metrics["auroc"]["value"]


def test_a_name_cannot_break_the_card(make_run: MakeRun) -> None:
    summary = collect_run(make_run("run: '\"#<b>"))
    card = model_card(summary)
    assert front_matter(card)["model-index"][0]["name"] == summary.name
    assert "# run: '\"#\\<b\\>" in card


def test_a_run_without_evaluation_says_so(make_run: MakeRun) -> None:
    card = model_card(collect_run(make_run(splits=())))
    assert "model-index" not in card
    assert "Not evaluated: run `histo evaluate`." in card
