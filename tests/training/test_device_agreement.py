"""What a GPU predicts, beside what the CPU does."""

import numpy as np
import pytest
import torch

from histocli.training.use import UseSettings, predict_split
from tests.training.conftest import Train

# Float32 whose convolutions a GPU may round to ten bits (TF32); docs/reliability.md promises it.
TOLERANCE = 5e-3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("stain", ["none", "macenko"])
def test_probabilities_of_a_gpu_are_those_of_the_cpu(train: Train, stain: str) -> None:
    run = train("run", epochs=1, stain=stain).run
    on = {}
    for device in ("cpu", "cuda"):
        use = UseSettings(device, 16, "as-trained", None, strict=False)
        on[device], _, _ = predict_split(run, None, "test", use, lambda *_: lambda _: None)
    assert on["cpu"].tiles == on["cuda"].tiles
    difference = np.abs(on["cpu"].probabilities - on["cuda"].probabilities)
    assert difference.max() <= TOLERANCE
