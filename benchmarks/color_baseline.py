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
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from histocli.data.loading import load_batches
from histocli.models.classifier import StainChoice
from histocli.training.dataset import SplitData, TrainingData, open_training_data
from histocli.training.fit import macro_auroc

RESULTS = Path(__file__).parent / "results"
PERCENTILES = (5, 25, 50, 75, 95)


def color_features(
    data: TrainingData, split: SplitData
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Features ``(N, 21)`` and labels of one split."""
    rows, indices = [], []
    for batch in load_batches(split.source, split.indices, 256, []):
        pixels = batch.pixels.reshape(*batch.pixels.shape[:2], -1).astype(np.float64)
        levels = np.percentile(pixels, PERCENTILES, axis=2).transpose(1, 0, 2)
        parts = [pixels.mean(axis=2), pixels.std(axis=2), levels.reshape(len(pixels), -1)]
        rows.append(np.concatenate(parts, axis=1))
        indices.append(batch.indices)
    return np.concatenate(rows), data.labels[np.concatenate(indices)]


def main() -> None:
    """Fit on train, print and write the scores on valid and test."""
    parser = argparse.ArgumentParser(description="Color-only baseline.")
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    data = open_training_data(arguments.data, 0, StainChoice(), print)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    model.fit(*color_features(data, data.splits["train"]))
    result: dict[str, object] = {"date": datetime.now(UTC).date().isoformat()}
    for split in ("valid", "test"):
        features, labels = color_features(data, data.splits[split])
        auroc = macro_auroc(model.predict_proba(features), labels)
        balanced = float(balanced_accuracy_score(labels, model.predict(features)))
        result[split] = {"auroc": auroc, "balanced_accuracy": balanced, "tiles": len(labels)}
        print(f"color only, {split}: AUROC {auroc:.3f}, balanced accuracy {balanced:.3f}")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"color-{arguments.data.name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
