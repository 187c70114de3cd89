"""Print the README's table of measured scores from the files in benchmarks/results."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from histocli.plurals import counted

RESULTS = Path(__file__).parent / "results"
COLUMNS = (
    "data",
    "recipe",
    "seeds",
    "valid AUROC",
    "test AUROC (95 % interval)",
    "of brown, purple tiles",
    "test balanced accuracy",
    "training",
)
HEADER = ("| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|")


def rows_of(path: Path) -> list[str]:
    """Rows of one data set: each recipe over its seeds, then color alone."""
    content: dict[str, Any] = json.loads(path.read_text())
    name = content["data"]
    recipes: dict[str, list[dict[str, Any]]] = {}
    for row in content["rows"]:
        recipes.setdefault(row["recipe"], []).append(row)
    rows = [recipe_row(name, recipe, runs) for recipe, runs in recipes.items()]
    color = RESULTS / f"color-{name}.json"
    if color.is_file():
        scores = json.loads(color.read_text())
        valid, test = scores["valid"], scores["test"]
        cells = [name, "color alone", "", f"{valid['auroc']:.3f}", f"{test['auroc']:.3f}", ""]
        rows.append("| " + " | ".join([*cells, f"{test['balanced_accuracy']:.3f}", ""]) + " |")
    return rows


def recipe_row(name: str, recipe: str, runs: Sequence[dict[str, Any]]) -> str:
    """Means over the seeds; the interval is the first seed's, over tiles or groups."""

    def mean(split: str, metric: str) -> float:
        return float(statistics.mean(run[split][metric]["value"] for run in runs))

    first, epochs = runs[0]["test"]["auroc"], runs[0]["epochs"]
    auroc = f"{mean('test', 'auroc'):.3f} ({first['ci_low']:.3f} to {first['ci_high']:.3f})"
    # Some seeds may have been trained on fewer cores, beside one another.
    cores = max(run["cores"] for run in runs)
    minutes = statistics.mean(run["train_minutes"] for run in runs if run["cores"] == cores)
    looks = [
        f"{statistics.mean(run['test_by_stain_look'][look] for run in runs):.3f}"
        for look in ("brown", "purple")
        if "test_by_stain_look" in runs[0]
    ]
    cells = [name, recipe, str(len(runs)), f"{mean('valid', 'auroc'):.3f}", auroc]
    cells += [
        ", ".join(looks),
        f"{mean('test', 'balanced_accuracy'):.3f}",
        f"{counted(epochs, 'epoch')}, {minutes:.0f} min on {counted(cores, 'core')}",
    ]
    return "| " + " | ".join(cells) + " |"


def table() -> str:
    """The whole table, best known data set first."""
    paths = sorted(RESULTS.glob("accuracy-*.json"), key=lambda path: "pcam" not in path.name)
    return "\n".join([*HEADER, *(row for path in paths for row in rows_of(path))])


if __name__ == "__main__":
    print(table())
