"""The control of an explanation: labels dealt out anew where a model learns, and nowhere else."""

import csv
from pathlib import Path

import numpy as np

from histocli.models.classifier import StainChoice
from histocli.run_record import RunRecord
from histocli.training.dataset import open_training_data
from histocli.training.shuffled_labels import with_shuffled_labels
from tests.training.conftest import SilentMonitor, Train


def test_labels_change_places_within_their_split_and_test_keeps_its_own(phantom: Path) -> None:
    data = open_training_data(phantom, 0, StainChoice("none", "torchstain"), lambda _: None)
    shuffled = with_shuffled_labels(data, seed=3)
    assert shuffled.counts() == data.counts()
    for split in ("train", "valid"):
        members = list(data.splits[split].indices)
        kept = (shuffled.labels[members] == data.labels[members]).mean()
        assert 0.2 < kept < 0.8
    test = list(data.splits["test"].indices)
    np.testing.assert_array_equal(shuffled.labels[test], data.labels[test])
    np.testing.assert_array_equal(shuffled.labels, with_shuffled_labels(data, seed=3).labels)
    assert (shuffled.labels != with_shuffled_labels(data, seed=4).labels).any()


def test_a_run_says_that_it_learned_shuffled_labels(train: Train) -> None:
    monitor = SilentMonitor()
    run = train(monitor=monitor, transfer="frozen", shuffle_labels=True).run
    assert any("labels are shuffled" in said for said in monitor.said)
    assert RunRecord.read(run).settings["shuffle_labels"] is True
    # Its table of splits keeps the true labels: its folders name them.
    with (run / "splits.csv").open() as file:
        assert all(row["tile"].split("/")[1] == row["label"] for row in csv.DictReader(file))
