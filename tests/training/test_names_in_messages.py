"""Messages of training count patients and tiles, and name none."""

from pathlib import Path

import numpy as np
import pytest
import torch

from histocli.data.writing import write_tile
from histocli.models.classifier import StainChoice
from histocli.training.dataset import open_training_data
from histocli.training.not_a_number import NotANumberError, check_finite


def test_a_patient_in_two_splits_is_counted(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = ["tile,label,patient,split"]
    for number, split in enumerate(("train", "train", "valid", "valid")):
        write_tile(tmp_path / f"{number}.png", generator.integers(0, 256, (8, 8, 3), np.uint8))
        rows.append(f"{number}.png,{'ab'[number % 2]},Erika Mustermann {number % 2},{split}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    said: list[str] = []
    open_training_data(tmp_path, 0, StainChoice(), said.append)
    assert said == ["warning: 2 groups in more than one split: the scores will be too good"]


def test_a_loss_that_is_no_number_names_no_tile() -> None:
    tiles, names = torch.zeros(2, 3, 4, 4), ["mustermann/1.png", "mustermann/2.png"]
    check_finite(torch.tensor(1.0), tiles, names)
    with pytest.raises(NotANumberError, match="in a batch of 2 tiles, kept with") as raised:
        check_finite(torch.tensor(float("nan")), tiles, names)
    assert "mustermann" not in str(raised.value)
    assert raised.value.tile_ids == names
