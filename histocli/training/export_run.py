"""Export a run: write the model as files that need no histocli, and check them on the run's own tiles."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from histocli import __version__
from histocli.atomic_files import write_json
from histocli.data.loading import SkippedTile, load_batches
from histocli.data.opening import AS_IT_IS, SourceOptions
from histocli.data.tiles import Split, TileSource
from histocli.errors import HistoError, InputError, SettingsError
from histocli.models.checkpoint import load_model
from histocli.models.classifier import ModelCard
from histocli.models.export import (
    INPUT,
    ExportedClassifier,
    Predictor,
    Tiles,
    check_exporter,
    open_onnx,
    open_program,
    record_program,
    write_onnx,
    write_program,
)
from histocli.training.agreement import LARGEST_DIFFERENCE, Agreement, compare
from histocli.training.devices import find_device
from histocli.training.recorded_splits import recorded_tiles
from histocli.training.run import SPLITS_NAME, open_split
from histocli.training.stress import evenly_chosen

ONNX, PROGRAM, DESCRIPTION = "model.onnx", "model.pt2", "export.json"
# Neither a divisor of the tiles nor the number that was recorded with: any number must do.
BATCH_SIZE = 48
Begin = Callable[[str, int], Callable[[int], None]]


def export_run(
    run: Path,
    output: Path,
    begin: Begin,
    *,
    formats: Sequence[str] = ("onnx", "pt2"),
    data: Path | None = None,
    split: Split | None = None,
    tiles: int = 1000,
    opening: SourceOptions = AS_IT_IS,
    workers: int | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write ``model.onnx``, ``model.pt2`` and ``export.json``; nothing is written if the check fails.

    Args:
        run: The run.
        output: Folder to write.
        begin: Called with the stage and its number of steps.
        formats: ``onnx``, ``pt2`` or both.
        data: Data set to check on; the run's own when None.
        split: Whose tiles are compared; when None valid, or train where a cross-validation left no other.
        tiles: At most so many of them, spread evenly.
        opening: How the data set is opened.
        workers: Decoding threads.
        overwrite: Replace an earlier export.

    Raises:
        SettingsError: If the folder may not be replaced, or a package is missing.
        InputError: If the network cannot be exported.
        HistoError: If the exported model differs from the run.
    """
    if (output / DESCRIPTION).exists() and not overwrite:
        raise SettingsError(f"{output} holds an export; pass --overwrite, or name another --output")
    if "onnx" in formats:
        check_exporter()
    model, card = load_model(run, find_device("cpu"))
    if split is None:
        split = "valid" if data is not None or has_validation(run) else "train"
    source, indices = open_split(run, data, split, opening)
    chosen = evenly_chosen(indices, tiles)
    side = _side(source, chosen)
    classifier = ExportedClassifier(model, card)
    description = describe_export(run, card, side, classifier.output_names)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=output) as folder:
        made = _write(classifier, side, Path(folder), formats, description, begin)
        progress = begin("comparing with the run", len(chosen))
        batches = _batches(source, chosen, side, workers)
        found = compare(model, card, made, batches, side, progress)
        for name, agreement in found.items():
            _check(name, agreement)
        files = sorted(Path(folder).iterdir())
        description["files"] = {file.name: _file_facts(file) for file in files}
        description["checked_on"] = split
        description["check"] = {name: asdict(agreement) for name, agreement in found.items()}
        for file in files:
            file.replace(output / file.name)
    write_json(output / DESCRIPTION, description)
    return {"output": output, **description}


def describe_export(
    run: Path, card: ModelCard, side: int, outputs: tuple[str, ...]
) -> dict[str, Any]:
    """What a user of the file has to know; it stands inside the file, too."""
    return {
        "histo_version": __version__,
        "run": run.name,
        "architecture": card.architecture,
        "input": {
            "name": INPUT,
            "type": "uint8",
            "shape": ["batch", 3, side, side],
            "color": "RGB",
        },
        "outputs": {
            name: {"type": "float64", "shape": ["batch", len(card.classes)]} for name in outputs
        },
        "classes": list(card.classes),
        "positive_class": card.positive_class,
        "operating_point": {"output": outputs[0], **card.operating_point},
        "calibration": dict(card.calibration),
        "stain": asdict(card.stain),
        "test_time_augmentation": "left out"
        if card.test_time_augmentation != "none"
        else "none, as in the run",
    }


def _write(
    classifier: ExportedClassifier,
    side: int,
    folder: Path,
    formats: Sequence[str],
    description: dict[str, Any],
    begin: Begin,
) -> dict[str, Predictor]:
    """The files, each opened again."""
    names = classifier.output_names
    advance = begin("recording the model", 1 + len(formats))
    program = record_program(classifier, side)
    advance(1)
    made: dict[str, Predictor] = {}
    if "pt2" in formats:
        write_program(program, folder / PROGRAM, description)
        made[PROGRAM] = open_program(folder / PROGRAM, names)
        advance(1)
    if "onnx" in formats:
        write_onnx(program, folder / ONNX, names, description)
        made[ONNX] = open_onnx(folder / ONNX)
        advance(1)
    return made


def has_validation(run: Path) -> bool:
    """Whether the run has tiles of validation: of folds, each tile is of training for all but one."""
    if not (run / SPLITS_NAME).is_file():
        return True
    return any(tile.split == "valid" for tile in recorded_tiles(run))


def _side(source: TileSource, indices: Sequence[int]) -> int:
    """Of the first tile that can be read."""
    for batch in load_batches(source, indices[:16], 16, []):
        height, width = batch.pixels.shape[-2:]
        if height != width:
            raise InputError(f"tiles of {width}x{height} px: only square tiles can be exported")
        return int(height)
    raise InputError("no tile can be read to check the exported model with; name others by --data")


def _batches(
    source: TileSource, indices: Sequence[int], side: int, workers: int | None
) -> Iterator[Tiles]:
    """Tiles of the recorded size; others, and unreadable ones, are passed over."""
    skipped: list[SkippedTile] = []
    for batch in load_batches(source, indices, BATCH_SIZE, skipped, workers=workers):
        if batch.pixels.shape[-2:] == (side, side):
            yield torch.from_numpy(batch.pixels).contiguous().numpy()


def _check(name: str, agreement: Agreement) -> None:
    if not agreement.holds:
        raise HistoError(
            f"{name}: of {agreement.tiles} tiles, only {agreement.share:.2%} have probabilities within "
            f"{LARGEST_DIFFERENCE} of the run's (largest difference {agreement.largest:.2g}); nothing was "
            "written. Try --to with the other format, and report the architecture"
        )


def _file_facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
