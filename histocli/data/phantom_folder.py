"""Write a data set of phantom tiles: splits, classes, slides, a table, and a few planted faults."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from histocli.atomic_files import write_csv, write_json
from histocli.data.phantom_faults import assign_faults, write_faulty_tile
from histocli.data.phantom_optics import PHANTOM_SCANNERS, Scanner
from histocli.data.phantom_tiles import PhantomKind, phantom_tile
from histocli.data.tiles import SPLITS, Split
from histocli.data.writing import write_tile
from histocli.errors import SettingsError

PhantomTask = Literal["binary", "multiclass"]
CLASSES: Mapping[PhantomTask, Sequence[PhantomKind]] = {
    "binary": ("normal", "tumor"),
    "multiclass": ("glands", "lymphocytes", "stroma", "tumor"),
}
SHARES: Mapping[Split, float] = {"train": 0.6, "valid": 0.2, "test": 0.2}
TILES_PER_SLIDE = 10
MINIMUM_TILES = 60
# Written first: a folder that holds it may be replaced, because histo made it.
MARK_NAME = "phantom.json"
HEADER = (
    *("path", "label", "group", "split", "scanner"),
    *("tumor_in_center", "tumor_in_ring", "nuclei_fraction", "fault"),
)
# Names of the random streams under one seed.
SLIDE_STREAM, TILE_STREAM = 0, 1


@dataclass(frozen=True)
class PlannedTile:
    """A tile before it is drawn.

    Attributes:
        number: Position in the data set, and its random stream.
        name: POSIX path in the folder.
        label: Class.
        slide: Its group.
        split: Of its slide.
        scanner: Stains and light of its slide.
    """

    number: int
    name: str
    label: PhantomKind
    slide: str
    split: Split
    scanner: Scanner


def write_phantom(
    folder: Path,
    *,
    tiles: int = 600,
    task: PhantomTask = "binary",
    seed: int = 0,
    size_px: int = 96,
    faults: bool = True,
    scanners: Sequence[str] = ("alpha", "beta"),
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write ``folder/SPLIT/CLASS/SLIDE_NNNN.png`` and ``folder/labels.csv``.

    Every slide lies in one split, every split has every scanner and every class. The same arguments
    give the same bytes; a tile depends on the seed and its number alone.

    Args:
        folder: New or empty.
        tiles: How many, faulty ones included; 60 % train, 20 % valid, 20 % test.
        task: Two classes by the center rule, or four tissues.
        seed: Of everything random.
        size_px: Side of the tiles.
        faults: Plant one tile of each fault among the training tiles (column ``fault``).
        scanners: Keys of ``PHANTOM_SCANNERS``.
        overwrite: Replace a phantom that lies there.
        progress: Called with the number of tiles written since the last call.

    Returns:
        Counts by split and class, slides, and what was planted: the content of ``phantom.json``.

    Raises:
        SettingsError: On an impossible argument, or a folder that is not empty.
    """
    _check(tiles, task, seed, scanners)
    plan = _plan(tiles, task, seed, scanners)
    planted = assign_faults([tile.number for tile in plan if tile.split == "train"], seed)
    planted = planted if faults else {}
    _make_room(folder, overwrite=overwrite)
    summary = _summary(plan, planted, {"task": task, "seed": seed, "size_px": size_px})
    write_json(folder / MARK_NAME, summary)
    rows = []
    for tile in plan:
        rows.append(_write_tile(folder, tile, seed, size_px, planted, plan))
        if progress is not None:
            progress(1)
    write_csv(folder / "labels.csv", HEADER, sorted(rows))
    return summary


def _check(tiles: int, task: str, seed: int, scanners: Sequence[str]) -> None:
    if task not in CLASSES:
        raise SettingsError(
            f"unknown task {task!r}; choose one of {', '.join(get_args(PhantomTask))}"
        )
    if tiles < MINIMUM_TILES:
        raise SettingsError(f"{tiles} tiles are too few to divide; ask for {MINIMUM_TILES} or more")
    if seed < 0:
        raise SettingsError(f"the seed is {seed}; choose 0 or more")
    unknown = sorted(set(scanners) - set(PHANTOM_SCANNERS))
    if unknown or not scanners:
        named = f"unknown scanner {unknown[0]!r}" if unknown else "no scanner"
        raise SettingsError(f"{named}; choose among {', '.join(PHANTOM_SCANNERS)}")


def _plan(tiles: int, task: PhantomTask, seed: int, scanners: Sequence[str]) -> list[PlannedTile]:
    classes = CLASSES[task]
    counts = {split: round(tiles * SHARES[split]) for split in ("valid", "test")}
    counts["train"] = tiles - sum(counts.values())
    plan: list[PlannedTile] = []
    slides_before = 0
    for split in SPLITS:
        slides = max(len(scanners), round(counts[split] / TILES_PER_SLIDE))
        for number in range(counts[split]):
            # Classes take turns, then slides: no class, slide or scanner is tied to another.
            label = classes[number % len(classes)]
            slide = slides_before + number // len(classes) % slides
            base = PHANTOM_SCANNERS[scanners[slide % len(scanners)]]
            scanner = base.for_slide(_stream(seed, SLIDE_STREAM, slide))
            slide_name = f"{scanner.name}-slide{slide:03d}"
            total = len(plan)
            name = f"{split}/{label}/{slide_name}_{total:04d}.png"
            plan.append(PlannedTile(total, name, label, slide_name, split, scanner))
        slides_before += slides
    return plan


def _stream(seed: int, stream: int, number: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, number)))


def _write_tile(
    folder: Path,
    planned: PlannedTile,
    seed: int,
    size_px: int,
    planted: Mapping[int, str],
    plan: Sequence[PlannedTile],
) -> tuple[object, ...]:
    fault = planted.get(planned.number, "")
    # A duplicate repeats a sound neighbor: same draw, another name.
    twin = _twin(planned, plan, planted) if fault == "duplicate" else planned
    generator = _stream(seed, TILE_STREAM, twin.number)
    tile = phantom_tile(twin.label, twin.scanner, generator, size_px)
    if fault:
        write_faulty_tile(folder / planned.name, fault, tile, generator)
    else:
        write_tile(folder / planned.name, tile.pixels)
    visible = fault in ("", "duplicate", "blur")
    return (
        *(planned.name, planned.label, planned.slide, planned.split, planned.scanner.name),
        tile.tumor_in_center and visible,
        tile.tumor_in_ring and visible,
        round(float(tile.nuclei.mean()), 4) if visible else 0.0,
        fault,
    )


def _twin(
    planned: PlannedTile, plan: Sequence[PlannedTile], planted: Mapping[int, str]
) -> PlannedTile:
    """The nearest sound tile of the same split and class, of the same slide where there is one."""
    others = [
        tile
        for tile in plan
        if (tile.split, tile.label) == (planned.split, planned.label) and tile.number not in planted
    ]
    return min(
        others,
        key=lambda tile: (tile.slide != planned.slide, abs(tile.number - planned.number)),
    )


def _summary(
    plan: Sequence[PlannedTile], planted: Mapping[int, str], arguments: Mapping[str, object]
) -> dict[str, Any]:
    counts = {
        split: {
            label: sum(1 for tile in plan if (tile.split, tile.label) == (split, label))
            for label in sorted({tile.label for tile in plan})
        }
        for split in SPLITS
    }
    return {
        **arguments,
        "tiles": len(plan),
        "slides": len({tile.slide for tile in plan}),
        "scanners": sorted({tile.scanner.name for tile in plan}),
        "splits": counts,
        "faults": {fault: plan[number].name for number, fault in sorted(planted.items())},
    }


def _make_room(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / MARK_NAME).is_file():
        raise SettingsError(
            f"{folder} holds something that is no phantom; name a new or an empty folder"
        )
    # Written last: without it a phantom was interrupted, and is begun anew.
    if not overwrite and (folder / "labels.csv").is_file():
        raise SettingsError(
            f"{folder} holds a phantom already; pass --overwrite to replace it, or name another"
        )
    for split in SPLITS:
        shutil.rmtree(folder / split, ignore_errors=True)
    (folder / "labels.csv").unlink(missing_ok=True)
