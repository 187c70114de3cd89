"""Whichever cache: the same batches, the same model, and a message where tiles do not fit."""

import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from histocli.data.layouts import open_source
from histocli.data.loading import load_batches
from histocli.errors import SettingsError, StoppedError
from histocli.run_record import RunRecord
from histocli.training import device_cache
from histocli.training.device_batches import on_device
from tests.data.layouts.examples import PCAM
from tests.training.conftest import SilentMonitor, Train

WEIGHTS = "best_model.safetensors"


@pytest.fixture(scope="module")
def hdf5(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom's tiles in PatchCamelyon's files, in chunks of eight."""
    folder = tmp_path_factory.mktemp("hdf5")
    for split in ("train", "valid"):
        source = open_source(phantom / split)
        # The phantom plants a truncated file, which no HDF5 file can hold.
        whole = [i for i, tile in enumerate(source.tiles) if is_whole(phantom / split / tile.id)]
        pixels = np.stack([source.read(i) for i in whole])
        labels = [int(source.tiles[i].label == "tumor") for i in whole]
        with h5py.File(folder / f"{PCAM}{split}_x.h5", "w") as file:
            chunks = (8, *pixels.shape[1:])
            file.create_dataset("x", data=pixels, chunks=chunks, compression="gzip")
        with h5py.File(folder / f"{PCAM}{split}_y.h5", "w") as file:
            file["y"] = np.array(labels, np.uint8).reshape(-1, 1, 1, 1)
    return folder


def is_whole(path: Path) -> bool:
    return path.read_bytes()[-8:-4] == b"IEND"


@pytest.mark.parametrize("kind", ["folder", "hdf5"])
def test_every_cache_trains_the_same_model(
    train: Train, phantom: Path, hdf5: Path, tmp_path: Path, kind: str
) -> None:
    data = phantom if kind == "folder" else hdf5
    options = {"cache_folder": tmp_path / "cache"}
    monitor = SilentMonitor()
    runs = [
        train(cache, monitor, data, epochs=1, options={**options, "cache": cache}).run
        for cache in ("none", "disk", "device")
    ]
    runs.append(train("again", monitor, data, epochs=1, options={**options, "cache": "disk"}).run)
    for run in runs[1:]:
        assert (run / WEIGHTS).read_bytes() == (runs[0] / WEIGHTS).read_bytes(), run.name
        assert (run / "splits.csv").read_bytes() == (runs[0] / "splits.csv").read_bytes()
        assert RunRecord.read(run).results["skipped"] == RunRecord.read(runs[0]).results["skipped"]
    said = [line for line in monitor.said if line.startswith("cache: ")]
    assert [line.split()[1] for line in said] == ["decoding"] * 2 + ["keeping"] * 2 + [
        "reading"
    ] * 2


def test_a_stopped_run_on_hdf5_continues_to_the_same_weights_with_any_cache(
    train: Train, hdf5: Path
) -> None:
    undisturbed = train("undisturbed", data=hdf5).run

    def interrupt(stage: str) -> None:
        if stage.startswith("epoch 2 of"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError):
        train("stopped", SilentMonitor(interrupt), hdf5)
    run = train("stopped", data=hdf5, resume=True, options={"cache": "device"}).run
    assert (run / WEIGHTS).read_bytes() == (undisturbed / WEIGHTS).read_bytes()


def test_a_stop_while_a_cache_is_filled_leaves_none(
    train: Train, phantom: Path, tmp_path: Path
) -> None:
    def interrupt(stage: str) -> None:
        if stage.startswith("decoding valid"):
            os.kill(os.getpid(), signal.SIGTERM)

    options = {"cache": "disk", "cache_folder": tmp_path / "cache"}
    with pytest.raises(StoppedError):
        train("stopped", SilentMonitor(interrupt), phantom, options=options)
    assert not list((tmp_path / "cache").glob(".*tmp*"))


def test_tiles_that_do_not_fit_are_refused_with_another_choice(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_cache, "free_memory", lambda _: 1000)
    with pytest.raises(SettingsError, match=r"--cache device: .*choose --cache disk, or none"):
        train("x", options={"cache": "device"})


@pytest.mark.gpu
def test_batches_arrive_whole_on_cuda(phantom: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    source, device = open_source(phantom / "valid"), torch.device("cuda")
    expected = list(load_batches(source, range(len(source.tiles)), 8, []))
    work = torch.ones(4000, 4000, device=device)
    found = []
    for there in on_device(iter(expected), device):
        # The device is busy while the next batch is copied.
        work = work @ work * 1e-4
        found.append(there.pixels + 0)
    for tiles, batch in zip(found, expected, strict=True):
        np.testing.assert_array_equal(tiles.cpu().numpy(), batch.pixels)


def test_memory_is_asked_for_where_it_can_be() -> None:
    free = device_cache.free_memory(torch.device("cpu"))
    assert free is None or free > 1_000_000
    assert device_cache.free_memory(torch.device("meta")) is None
