"""How fast maps are made, against pytorch-grad-cam: its one-tile loop, and its batched use.

    python benchmarks/explain_speed.py [--arch efficientnet] [--tiles 128] [--rounds 5]

The same network with the same random weights, the same tiles, layer and class for all; maps by Grad-CAM,
enlarged to the network's input. The contestants take turns; the table has the median round of each.
Maps are compared before anything is timed. Writes benchmarks/results/explain_speed-ARCH.json.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from speed.machine import machine
from torch import Tensor, nn

from histocli.explain.capture import held_still
from histocli.explain.maps import Explainer
from histocli.explain.scores.enlarging import enlarge
from histocli.models.architectures import find_architecture
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants

RESULTS = Path(__file__).parent / "results"
OURS, LOOP, BATCHED = "histocli", "pytorch-grad-cam, tile by tile", "pytorch-grad-cam, batched"
# The goals of the project.
GOALS = {LOOP: 4.0, BATCHED: 1.5}
EXPLAINED = 1
Maps = NDArray[np.floating]


def make_model(architecture: str) -> TileClassifier:
    """A model with random weights; those of its last layer are positive, so that no map is empty."""
    torch.manual_seed(0)
    constants = PreprocessingConstants.of(find_architecture(architecture), None)
    model = TileClassifier(ModelCard(architecture, ("a", "b"), "b", constants))
    classifier = cast("nn.Linear | nn.Conv2d", model.network.get_classifier())  # type: ignore[operator] # of timm
    nn.init.uniform_(classifier.weight)
    return model.eval()


def contestants(
    model: TileClassifier, tiles: Tensor, batch_size: int
) -> Mapping[str, Callable[[], Maps]]:
    """What is timed: each makes a map of every tile, at the side of the network's input."""
    explainer = Explainer.of(model, "gradcam")
    layer = explainer.layer
    if layer is None:
        raise ValueError("Grad-CAM has a layer")
    arrangement, side = layer.arrangement, model.standardization.constants.input_size_px
    reshape = None if arrangement.kind == "channels_first" else arrangement.feature_map

    def ours() -> Maps:
        with held_still(model):
            found = [
                explainer.explain(part, lambda p: np.full(len(p), EXPLAINED)).grids
                for part in torch.split(tiles, batch_size)
            ]
        return enlarge(np.concatenate(found), side, side)

    def theirs(at_once: int) -> Maps:
        # Its hooks live as long as it does: none of them may be called in our turn.
        with GradCAM(model.network, [layer.module], reshape_transform=reshape) as peer:
            found = [
                peer(model.standardization(part), [ClassifierOutputTarget(EXPLAINED)] * len(part))
                for part in torch.split(tiles, at_once)
            ]
        return np.concatenate(found)

    return {OURS: ours, LOOP: partial(theirs, 1), BATCHED: partial(theirs, batch_size)}


def largest_difference(maps: Mapping[str, Maps]) -> float:
    """Between ours and each of theirs, once all are scaled to their range as theirs are."""
    ours = maps[OURS] - maps[OURS].min(axis=(1, 2), keepdims=True)
    if not ours.any(axis=(1, 2)).all():
        raise ValueError("a map is empty: nothing is compared")
    ours = ours / (ours.max(axis=(1, 2), keepdims=True) + 1e-7)
    return max(float(np.abs(ours - maps[name]).max()) for name in GOALS)


def main() -> None:
    """Compare, time, print and write."""
    parser = argparse.ArgumentParser(description="Speed of attention maps.")
    parser.add_argument("--arch", default="efficientnet")
    parser.add_argument("--tiles", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    model = make_model(arguments.arch).to(arguments.device)
    tiles = torch.rand(arguments.tiles, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    runs = contestants(model, tiles.to(arguments.device), arguments.batch_size)
    difference = largest_difference({name: run() for name, run in runs.items()})
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(arguments.rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            # Maps end as arrays on the CPU, so nothing is left to wait for.
            run()
            seconds[name].append(time.perf_counter() - started)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{arguments.arch}, {arguments.tiles} tiles; maps differ by {difference:.1e} at most")
    for name, value in median.items():
        goal = f", goal {GOALS[name]}" if name in GOALS else ""
        rate, times = arguments.tiles / value, value / median[OURS]
        print(f"  {name:32}{rate:8.1f} tiles/s   ours is {times:.2f} times as fast{goal}")
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(arguments.device),
        "versions": {"torch": torch.__version__, "grad-cam": version("grad-cam")},
        "threads": torch.get_num_threads(),
        **vars(arguments),
        "largest_difference": difference,
        "seconds": seconds,
        "times_as_fast": {name: median[name] / median[OURS] for name in GOALS},
        "goals": GOALS,
    }
    path = RESULTS / f"explain_speed-{arguments.arch}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
