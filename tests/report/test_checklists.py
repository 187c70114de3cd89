import json

import pytest

from histocli.report.checklists.facts import FACTS
from histocli.report.checklists.filled import AUTHOR, CHECKLISTS, checklist_tables
from histocli.report.collect import collect_run
from tests.report.conftest import MakeRun


@pytest.mark.parametrize(
    ("name", "last", "numbers"), [("TRIPOD+AI", 27, 52), ("CLAIM 2024", 44, 44)]
)
def test_every_item_is_there_once_and_in_order(name: str, last: int, numbers: int) -> None:
    items = [each.number for each in CHECKLISTS[name]]
    assert len(items) == len(set(items)) == numbers
    whole = [int("".join(filter(str.isdigit, each))) for each in items]
    assert whole == sorted(whole)
    assert set(whole) == set(range(1, last + 1))


def test_every_fact_is_asked_for_and_every_key_is_a_fact() -> None:
    asked = {key for items in CHECKLISTS.values() for item in items for key in item.facts}
    assert asked == set(FACTS)


def test_what_a_run_knows_is_filled_in_and_the_rest_left_to_the_author(make_run: MakeRun) -> None:
    claim = {row[0]: row[2] for row in checklist_tables(collect_run(make_run()))[1].rows}
    assert claim["7"].startswith("Data set data")
    assert "test: AUROC 0." in claim["32"]
    assert claim["44"] == AUTHOR
    assert claim["27"] == "None: a single model."
    assert "test, at the stored operating point: Sensitivity 0." in claim["38"]
    assert "(0." in claim["38"]


def test_an_ensemble_is_called_one(make_run: MakeRun) -> None:
    run = make_run(classes=("a", "b", "c"))
    card = json.loads((run / "best_model.json").read_text())
    (run / "best_model.json").write_text(json.dumps({**card, "members": ["one", "two"]}))
    claim = {row[0]: row[2] for row in checklist_tables(collect_run(run))[1].rows}
    assert claim["27"] == "The mean of 2 models."
    assert "Balanced accuracy 0." in claim["38"]


def test_an_unfinished_run_leaves_results_to_the_author(make_run: MakeRun) -> None:
    run = make_run(splits=(), explained=False)
    (run / "best_model.json").unlink()
    claim = {row[0]: row[2] for row in checklist_tables(collect_run(run))[1].rows}
    assert {claim[each] for each in ("9", "24", "28", "29", "31", "32", "39")} == {AUTHOR}
