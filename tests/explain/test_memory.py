"""Ten thousand tiles, by each method in turn, in the memory of the first two thousand."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from histocli.explain.capture import held_still
from histocli.explain.maps import Explainer
from histocli.explain.methods import CAM_METHODS
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants

STATM = Path("/proc/self/statm")
BATCHES, BATCH_SIZE, SETTLED = 200, 50, 40
# Of what follows the first two thousand tiles. What the explained layer gives of them would be 20 MiB.
MOST_MIB = 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not STATM.is_file(), reason="memory is read as Linux tells it"),
]


def resident_mib() -> float:
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.parametrize(("architecture", "side"), [("test_resnet", 96), ("test_vit", 160)])
def test_ten_thousand_tiles_are_explained_in_flat_memory(architecture: str, side: int) -> None:
    torch.manual_seed(0)
    constants = PreprocessingConstants(side, (0.5,) * 3, (0.5,) * 3)
    model = TileClassifier(ModelCard(architecture, ("a", "b"), "b", constants)).eval()
    explainers = [Explainer.of(model, method) for method in CAM_METHODS]
    tiles = torch.rand(BATCH_SIZE, 3, side, side)
    settled = 0.0
    with held_still(model):
        for number in range(BATCHES):
            if number == SETTLED:
                settled = resident_mib()
            explainer = explainers[number % len(explainers)]
            explainer.explain(tiles, lambda found: np.ones(len(found), np.int64))
    assert resident_mib() - settled < MOST_MIB
    hooks = sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())  # noqa: SLF001
    assert hooks == 0
