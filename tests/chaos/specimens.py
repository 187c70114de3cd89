"""Sound inputs of every kind that histo reads, each with the file to be damaged."""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from tests.data.layouts import examples
from tests.data.layouts.examples import Example


@dataclass(frozen=True)
class Specimen:
    """A sound input.

    Attributes:
        path: What a command is given.
        main: The file to be damaged.
        reads: ``tiles``, or a key of ``READERS`` in victim.py.
        holds_pixels: True for images and what packs them: a part of one is no other one.
    """

    path: Path
    main: Path
    reads: str = "tiles"
    holds_pixels: bool = False


MakeSpecimen = Callable[[Path], Specimen]


def _picture(seed: int) -> Image.Image:
    """Smooth, like tissue: noise would hide what a decoder loses."""
    noise = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3))


def _image(kind: str, suffix: str) -> MakeSpecimen:
    def write(folder: Path) -> Specimen:
        for label in ("normal", "tumor"):
            for number in range(2):
                path = folder / label / f"{number}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                _picture(number).save(path, kind)
        return Specimen(folder, folder / "normal" / f"0.{suffix}", holds_pixels=True)

    return write


def _layout(write_example: Callable[[Path], Example]) -> MakeSpecimen:
    def write(folder: Path) -> Specimen:
        folder.mkdir(parents=True, exist_ok=True)
        example = write_example(folder)
        return Specimen(example.path, example.main, holds_pixels=True)

    return write


def _table(folder: Path) -> Specimen:
    for number in range(4):
        path = folder / f"tiles/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _picture(number).save(path)
    rows = [[f"tiles/{n}.png", ("normal", "tumor")[n % 2], f"p{n}"] for n in range(4)]
    examples.write_csv(folder / "labels.csv", ["tile", "label", "patient"], rows)
    return Specimen(folder, folder / "labels.csv")


@cache
def trained_run() -> Path:
    """A run with a model of random weights, made once."""
    import torch

    from histocli.models.architectures import find_architecture
    from histocli.models.checkpoint import save_model
    from histocli.models.classifier import ModelCard, TileClassifier
    from histocli.models.preprocessing import PreprocessingConstants
    from histocli.run_record import RunRecord

    run = Path(tempfile.mkdtemp(prefix="histo-chaos-")) / "run"
    run.mkdir()
    torch.manual_seed(0)
    architecture = find_architecture("test_efficientnet")
    constants = PreprocessingConstants.of(architecture, 32)
    card = ModelCard("test_efficientnet", ("normal", "tumor"), "tumor", constants)
    save_model(run, TileClassifier(card), card)
    RunRecord("train", {"seed": 0}, {"data": {"path": "data"}}).write(run)
    return run


def _run(name: str, reads: str) -> MakeSpecimen:
    def write(folder: Path) -> Specimen:
        shutil.copytree(trained_run(), folder / "run")
        return Specimen(folder / "run", folder / "run" / name, reads)

    return write


def _settings(folder: Path) -> Specimen:
    from histocli.settings_sources import load_settings, to_toml

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "histo.toml"
    path.write_text(to_toml(load_settings()))
    return Specimen(path, path, "settings")


def _predictions(folder: Path) -> Specimen:
    from histocli.predictions import Predictions

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "predictions.csv"
    probabilities = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])
    table = Predictions(
        tiles=["a", "b", "c"],
        classes=["normal", "tumor"],
        probabilities=probabilities,
        predicted=["tumor", "tumor", "normal"],
        labels=["tumor", None, "normal"],
        groups=["p", None, "q"],
    )
    table.write(path)
    return Specimen(path, path, "predictions")


def _weights(folder: Path) -> Specimen:
    """A checkpoint as strangers hand it on: a pickle, which must never run."""
    import timm
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "weights.pth"
    torch.save(timm.create_model("test_efficientnet").state_dict(), path)
    return Specimen(path, path, "weights")


SPECIMENS: Mapping[str, MakeSpecimen] = {
    "jpeg": _image("JPEG", "jpg"),
    "png": _image("PNG", "png"),
    "tiff": _image("TIFF", "tif"),
    "webp": _image("WEBP", "webp"),
    "bmp": _image("BMP", "bmp"),
    "hdf5": _layout(examples.patchcamelyon),
    "npz": _layout(examples.medmnist),
    "zip": _layout(examples.zip_archive),
    "kaggle": _layout(examples.kaggle),
    "parquet": _layout(examples.huggingface),
    "manifest.parquet": _layout(examples.manifest),
    "svs": _layout(examples.slides),
    "csv": _table,
    "toml": _settings,
    "safetensors": _run("best_model.safetensors", "model"),
    "best_model.json": _run("best_model.json", "model"),
    "run.json": _run("run.json", "record"),
    "predictions.csv": _predictions,
    "pth": _weights,
}


def describe(specimen: Specimen) -> str:
    """As a line for another process."""
    return json.dumps({key: str(value) for key, value in asdict(specimen).items()})
