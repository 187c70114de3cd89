"""Print the README's table of measured scores from the files in benchmarks/results."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
COLUMNS = (
    "data",
    "model, stain",
    "valid AUROC",
    "test AUROC (95 % interval)",
    "test balanced accuracy",
    "training",
)
HEADER = ("| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|")


def rows_of(path: Path) -> list[str]:
    """Rows of one data set: each measured run, then color alone."""
    content: dict[str, Any] = json.loads(path.read_text())
    name = content["data"]
    rows = []
    for row in content["rows"]:
        test, valid = row["test"], row["valid"]
        auroc = test["auroc"]
        interval = f"{auroc['value']:.3f} ({auroc['ci_low']:.3f} to {auroc['ci_high']:.3f})"
        training = f"{row['epochs']} epochs, {row['train_minutes']:.0f} min"
        balanced = f"{test['balanced_accuracy']['value']:.3f}"
        cells = [name, f"{row['arch']}, {row['stain']}", f"{valid['auroc']['value']:.3f}"]
        rows.append("| " + " | ".join([*cells, interval, balanced, training]) + " |")
    color = RESULTS / f"color-{name}.json"
    if color.is_file():
        scores = json.loads(color.read_text())
        valid, test = scores["valid"], scores["test"]
        cells = [name, "color alone", f"{valid['auroc']:.3f}", f"{test['auroc']:.3f}"]
        rows.append("| " + " | ".join([*cells, f"{test['balanced_accuracy']:.3f}", ""]) + " |")
    return rows


def table() -> str:
    """The whole table, best known data set first."""
    paths = sorted(RESULTS.glob("accuracy-*.json"), key=lambda path: "pcam" not in path.name)
    return "\n".join([*HEADER, *(row for path in paths for row in rows_of(path))])


if __name__ == "__main__":
    print(table())
