import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from histocli.atomic_files import write_json
from histocli.metrics.comparison import compare
from histocli.metrics.pairing import Entrant
from histocli.predictions import Predictions

SCHEMA = json.loads((files("histocli") / "schemas" / "comparison.schema.json").read_text())


def run(name: str, noise: float, *, classes: int = 2, groups: int = 0, seed: int = 0) -> Entrant:
    """A run that sees the labels through so much noise; one seed of labels for all."""
    tiles = 120
    labels = np.random.default_rng(9).integers(classes, size=tiles)
    own = np.random.default_rng([seed, *name.encode()])
    logits = 2 * np.eye(classes)[labels] + noise * own.normal(size=(tiles, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = [f"class {index}" for index in range(classes)]
    return Entrant(
        name,
        Predictions(
            tiles=[f"{row}.png" for row in range(tiles)],
            classes=names,
            probabilities=probabilities,
            predicted=[names[index] for index in probabilities.argmax(axis=1)],
            labels=[names[index] for index in labels],
            groups=[f"slide {row % groups}" for row in range(tiles)] if groups else [None] * tiles,
        ),
        names[-1],
    )


def compared(*entrants: Entrant, samples: int = 100) -> dict[str, Any]:
    return compare(entrants, split="test", bootstrap_samples=samples, permutations=100)


@pytest.mark.parametrize("groups", [0, 1, 24])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_written_file_follows_the_schema(classes: int, groups: int, tmp_path: Path) -> None:
    entrants = [run(name, 1.5, classes=classes, groups=groups) for name in ("a", "b", "c")]
    write_json(tmp_path / "comparison.json", compared(*entrants))
    written = json.loads((tmp_path / "comparison.json").read_text())
    jsonschema.validate(written, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert [pair["runs"] for pair in written["pairs"]] == [["a", "b"], ["a", "c"], ["b", "c"]]


@pytest.mark.parametrize("groups", [0, 40])
def test_a_much_better_run_is_found_in_every_direction(groups: int) -> None:
    good, bad = run("good", 0.5, groups=groups), run("bad", 5, groups=groups)
    metrics = compared(bad, good)["pairs"][0]["metrics"]
    for name in ("auroc", "accuracy", "f1", "brier", "log_loss"):
        assert metrics[name]["better"] == "good", name
    assert metrics["auroc"]["difference"] < 0 < metrics["brier"]["difference"]


def test_a_run_and_its_copy_do_not_differ() -> None:
    one = run("one", 1.5, groups=30)
    copy = Entrant("copy", one.predictions, one.positive_class)
    for record in compared(one, copy)["pairs"][0]["metrics"].values():
        assert (record["difference"], record["p_value"], record["better"]) == (0, 1, None)
        assert record["ci_low"] is None
        assert record["reason"]


def test_groups_decide_which_test_speaks() -> None:
    alone = compared(run("a", 1), run("b", 2))["pairs"][0]["metrics"]
    assert alone["auroc"]["test"] == "delong"
    assert alone["accuracy"]["test"].startswith("mcnemar")
    assert alone["f1"]["test"] == "exchange of tiles"
    grouped = compared(run("a", 1, groups=20), run("b", 2, groups=20))["pairs"][0]
    assert {record["test"] for record in grouped["metrics"].values()} == {
        "exchange of whole groups"
    }
    assert "delong_clustered" in grouped["tests"]


def test_more_pairs_ask_for_more_evidence() -> None:
    two = compared(run("a", 1), run("b", 1.6))["pairs"][0]["metrics"]["auroc"]
    four = compared(run("a", 1), run("b", 1.6), run("c", 1.5), run("d", 1.7))
    assert two["p_holm"] == two["p_value"]
    record = four["pairs"][0]["metrics"]["auroc"]
    assert record["p_value"] == two["p_value"]
    assert record["p_holm"] > two["p_holm"]


def test_the_seed_decides() -> None:
    entrants = (run("a", 1, groups=20), run("b", 2, groups=20))
    assert compared(*entrants) == compared(*entrants)


def test_differences_of_several_classes_are_those_of_the_headline() -> None:
    comparison = compared(run("a", 1, classes=4), run("b", 2, classes=4))
    record = comparison["pairs"][0]["metrics"]["auroc"]
    values = comparison["values"]
    assert record["difference"] == values["a"]["auroc"] - values["b"]["auroc"]
    assert record["ci_low"] < record["difference"] < record["ci_high"]
