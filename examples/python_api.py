"""What the commands do, from Python: read tiles, normalize their stain, predict them.

    bash examples/quickstart.sh demo
    python examples/python_api.py demo/runs/demo demo/data

Each ``# %%`` begins a cell where an editor shows scripts as notebooks.
"""

# %% Settings
import sys
from pathlib import Path

import torch

import histocli
from histocli.data.loading import SkippedTile, load_batches
from histocli.metrics.definitions.auroc import auroc
from histocli.metrics.operating_point import decide
from histocli.stain import MacenkoNormalizer

if len(sys.argv) != 3:
    sys.exit("usage: python_api.py RUN DATA; bash examples/quickstart.sh demo makes both")
run, data = map(Path, sys.argv[1:])

# %% Read tiles: any layout that the command line knows
source = histocli.open_tiles(data)
test = [index for index, tile in enumerate(source.tiles) if tile.split == "test"]
skipped: list[SkippedTile] = []
batch = next(load_batches(source, test, batch_size=64, skipped=skipped))
print(
    f"{len(source.tiles)} tiles ({source.layout}), {len(test)} to test; a batch: {batch.pixels.shape}"
)

# %% Normalize stains: NumPy in, NumPy out; torch and CuPy likewise
result = MacenkoNormalizer().normalize(batch.pixels)
print(f"normalized: {(result.status == 'ok').sum()} of {len(batch.pixels)}")
print(f"hematoxylin and eosin of the first tile:\n{result.stain_matrices[0].round(3)}")

# %% Load a trained model: stain normalization and preprocessing are inside
model, card = histocli.load_model(run)
print(f"{card.architecture}: {', '.join(card.classes)}; {card.parameters:,} weights")

# %% Predict raw tiles
with torch.inference_mode():
    logits = model(torch.from_numpy(batch.pixels))
probabilities = logits.softmax(dim=1).double().numpy()
called = decide(
    probabilities, card.classes, card.positive_class, card.operating_point.get("threshold")
)

# %% Compare with the labels
labels = [source.tiles[index].label for index in batch.indices]
right = sum(ours == theirs for ours, theirs in zip(called, labels, strict=True))
positive = list(card.classes).index(card.positive_class)
is_positive = [label == card.positive_class for label in labels]
area = float(auroc(torch.tensor(is_positive).numpy(), probabilities[:, positive]))
print(f"called rightly: {right} of {len(labels)}; AUROC of {card.positive_class}: {area:.3f}")
