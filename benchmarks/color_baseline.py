"""What color alone can tell: logistic regression on each tile's color statistics.

    python benchmarks/color_baseline.py DATA

The features are the mean, the standard deviation and five percentiles of each channel; the splits are those
that `histo train` makes of DATA (seed 0). A model is worth what it adds to this.
Writes benchmarks/results/color-NAME.json.
"""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score

from histocli.data.tiles import Split
from histocli.metrics.baselines import color_probabilities
from histocli.metrics.definitions.auroc import macro_auroc
from histocli.models.classifier import StainChoice
from histocli.training.color_only import features_of
from histocli.training.dataset import TrainingData, open_training_data

RESULTS = Path(__file__).parent / "results"


def _features(data: TrainingData, split: Split) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Features ``(N, 21)`` and labels of the tiles of a split that can be read."""
    part = data.splits[split]
    features, read = features_of(part.source, part.indices, lambda _: None)
    return features, data.labels[read]


def main() -> None:
    """Fit on train, print and write the scores on valid and test."""
    parser = argparse.ArgumentParser(description="Color-only baseline.")
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    data = open_training_data(arguments.data, 0, StainChoice(), print)
    train, train_labels = _features(data, "train")
    result: dict[str, object] = {"date": datetime.now(UTC).date().isoformat()}
    judged: tuple[Split, ...] = ("valid", "test")
    for split in judged:
        features, labels = _features(data, split)
        table = color_probabilities(train, train_labels, features, len(data.classes))
        auroc = macro_auroc(table, labels)
        balanced = float(balanced_accuracy_score(labels, table.argmax(axis=1)))
        result[split] = {"auroc": auroc, "balanced_accuracy": balanced, "tiles": len(labels)}
        print(f"color only, {split}: AUROC {auroc:.3f}, balanced accuracy {balanced:.3f}")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"color-{arguments.data.name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
