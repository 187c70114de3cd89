"""Sound examples of the files that histo writes and reads again, to be damaged; see specimens.py."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tests.chaos.specimens import MakeSpecimen, Specimen, trained_run
from tests.data.layouts import examples


def _written(name: str, content: str, reads: str, *, names_folder: bool = False) -> MakeSpecimen:
    """One file of text."""

    def write(folder: Path) -> Specimen:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(content)
        return Specimen(folder if names_folder else path, path, reads)

    return write


def _table(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def _in_run(name: str, content: str) -> MakeSpecimen:
    """A file of a run, as `histo report` collects it."""

    def write(folder: Path) -> Specimen:
        run = folder / "run"
        shutil.copytree(trained_run(), run)
        path = run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return Specimen(run, path, "run")

    return write


def _state(folder: Path) -> Specimen:
    import torch

    from histocli.models.checkpoint import save_tensors
    from histocli.training.state import Progress

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "last.safetensors"
    tensors = {"model.weight": torch.ones(3, 2), "optimizer.0.step": torch.zeros(1)}
    save_tensors(path, tensors, {"progress": json.dumps(asdict(Progress()))})
    return Specimen(folder, path, "state")


def _gzipped(folder: Path) -> Specimen:
    folder.mkdir(parents=True, exist_ok=True)
    example = examples.patchcamelyon(folder)
    return Specimen(folder, examples.gzip_file(example.main))


def _slides_toml(folder: Path) -> Specimen:
    folder.mkdir(parents=True, exist_ok=True)
    example = examples.slides(folder)
    path = folder / "slides.toml"
    if not path.exists():
        path.write_text("tile_size_px = 16\nmicrons_per_pixel = 1.0\n")
    return Specimen(example.path, path)


def metrics_json() -> str:
    """What `histo evaluate` writes, of a few tiles."""
    from histocli.metrics.evaluate import evaluate
    from histocli.predictions import Predictions

    scores = np.random.default_rng(0).random(20)
    table = Predictions(
        tiles=[str(n) for n in range(20)],
        classes=["normal", "tumor"],
        probabilities=np.stack([1 - scores, scores], axis=1),
        predicted=["tumor" if score > 0.5 else "normal" for score in scores],
        labels=["normal", "tumor"] * 10,
        groups=[None] * 20,
    )
    return json.dumps(
        evaluate(table, split="test", positive_class="tumor", threshold=0.5, bootstrap_samples=0)
    )


def _metrics(folder: Path) -> Specimen:
    return _in_run("evaluation/test/metrics.json", metrics_json())(folder)


REFERENCE = {
    "stain_matrix": [[0.56, 0.22], [0.72, 0.8], [0.41, 0.56]],
    "maximum_concentrations": [1.97, 1.03],
    "name": "r",
}
COLORS = {"means": [58, 26, -12], "standard_deviations": [14, 7, 5], "name": "r"}
FILES_OF_HISTO: Mapping[str, Callable[[Path], Specimen]] = {
    "h5.gz": _gzipped,
    "slides.toml": _slides_toml,
    "last.safetensors": _state,
    "metrics.json": _metrics,
    "history.csv": _in_run(
        "history.csv",
        _table(
            "epoch,input_size_px,learning_rate,train_loss,valid_loss,valid_auroc,images_per_second,seconds",
            "1,32,0.001,0.7,0.6,0.8,100,2",
        ),
    ),
    "attention.json": _in_run("explanation/attention.json", '{"method": "gradcam", "tiles": 3}'),
    "index.csv": _written(
        "index.csv",
        _table("kind,name,bytes,sha256,pixels_sha1", "tile,a.png,12,ab,cd", "tile,b.png,12,ab,cd"),
        "checksums",
    ),
    "qc.csv": _written(
        "qc.csv",
        _table("tile,verdict,reasons,kept_instead", "a.png,pass,,", "b.png,fail,blank;folds,a.png"),
        "quality",
    ),
    "qc.json": _written(
        "qc.json", '{"tiles": 3, "passed": 2, "failed": 1}', "quality summary", names_folder=True
    ),
    "reference.json": _written("reference.json", json.dumps(REFERENCE), "reference"),
    "color.json": _written("color.json", json.dumps(COLORS), "color reference"),
    "splits.csv": _written(
        "splits.csv",
        _table("tile,label,group,split", "a.png,normal,p,train", "b.png,tumor,q,valid"),
        "splits",
        names_folder=True,
    ),
    "skipped.csv": _written(
        "skipped.csv", _table("tile,reason", "a.png,cut short"), "skipped", names_folder=True
    ),
}
