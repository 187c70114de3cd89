from typing import Any

from histocli.report.evaluation_table import evaluation_table


def metrics(groups: int | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "value": 0.9,
        "ci_low": 0.8,
        "ci_high": 0.95,
        "method": "wilson",
        "n": 40,
    }
    undefined: dict[str, Any] = {
        "value": None,
        "ci_low": None,
        "ci_high": None,
        "reason": "there is no tile",
    }
    if groups:
        record["ci_unclustered"] = [0.87, 0.92]
        undefined["ci_unclustered"] = [None, None]
    return {
        "split": "test",
        "groups": groups,
        "confidence": 0.95,
        "metrics": {"f1": undefined, "auroc": record},
    }


def test_groups_bring_the_interval_of_independent_tiles_beside_theirs() -> None:
    table = evaluation_table(metrics(12))
    assert table.rows[0] == ["AUROC", "0.900 (0.800 to 0.950)", "0.870 to 0.920"]
    assert table.rows[1][0] == "F1"
    assert len(table.header) == len(table.rows[0]) == len(table.rows[1]) == 3
    assert any("12 groups" in note for note in table.notes)


def test_without_groups_there_is_one_interval() -> None:
    assert evaluation_table(metrics(None)).header == ("Metric", "test")
