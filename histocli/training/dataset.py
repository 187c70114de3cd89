"""The data of one training run: splits, labels, and tiles already normalised where they match."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histocli.data.normalized import find_normalized
from histocli.data.opening import AS_IT_IS, SourceOptions, facts_of
from histocli.data.splitting import groups_across_splits, split_tiles
from histocli.data.tiles import SPLITS, Split, Tile, TileSource, class_names, content_hash
from histocli.errors import InputError, SettingsError
from histocli.models.classifier import StainChoice
from histocli.plurals import counted
from histocli.training.left_out import LeftOut, left_out_by
from histocli.training.loss import NO_LABEL


@dataclass(frozen=True)
class SplitData:
    """Labelled tiles of one split, in the order of their ids."""

    source: TileSource
    indices: Sequence[int]
    already_normalized: bool = False


@dataclass(frozen=True)
class TrainingData:
    """A data set divided for training.

    Attributes:
        path: As the user named it.
        tiles: The table, every tile with a split.
        classes: Sorted names.
        labels: Class index per tile, ``NO_LABEL`` where unknown.
        splits: What to read for each split.
        sha256: Of the names and contents of the tiles.
        divided: True if histo chose some of the splits.
        facts: What the tiles depend on beside their files, for the record.
        qc: What a check left out, for the record; empty without one.
    """

    path: Path
    tiles: Sequence[Tile]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    splits: dict[Split, SplitData]
    sha256: str
    divided: bool
    facts: Mapping[str, Any] = field(default_factory=dict)
    qc: Mapping[str, Any] = field(default_factory=dict)

    def counts(self) -> dict[str, dict[str, int]]:
        """Tiles by split and class."""
        return {
            split: {
                name: int((self.labels[list(data.indices)] == position).sum())
                for position, name in enumerate(self.classes)
            }
            for split, data in self.splits.items()
        }

    def groups(self) -> dict[str, int]:
        """Distinct groups by split; empty where none are known."""
        found: dict[str, int] = {
            split: len({self.tiles[index].group for index in data.indices} - {None})
            for split, data in self.splits.items()
        }
        return found if any(found.values()) else {}


def open_training_data(
    path: Path,
    seed: int,
    stain: StainChoice,
    say: Callable[[str], None],
    opening: SourceOptions = AS_IT_IS,
    qc: Path | None = None,
) -> TrainingData:
    """Open a labelled data set and divide it; the rejects of a check are left out.

    Raises:
        InputError: If there are fewer than two classes, or no tile of a class to train on.
    """
    source = opening.open(path)
    classes = class_names(source.tiles)
    if len(classes) < 2:
        found = f"only {classes[0]!r}" if classes else "no labels"
        raise InputError(f"{path}: {found} found; training needs tiles of two classes or more")
    tiles = split_tiles(source.tiles, seed)
    divided = any(before.split is None for before in source.tiles) or not (
        {tile.split for tile in source.tiles} >= {"train", "valid"}
    )
    torn = groups_across_splits(tiles)
    if torn:
        # Not by name: groups are patients.
        say(
            f"warning: {counted(len(torn), 'group')} in more than one split: the scores will be too good"
        )
    position = {name: index for index, name in enumerate(classes)}
    labels = np.array([NO_LABEL if t.label is None else position[t.label] for t in tiles], np.int64)
    left_out = LeftOut() if qc is None else left_out_by(qc, source, tiles, say)
    splits: dict[Split, SplitData] = {}
    for split in SPLITS:
        indices = [i for i, t in enumerate(tiles) if t.split == split and labels[i] != NO_LABEL]
        indices = [i for i in indices if tiles[i].id not in left_out.tiles]
        if indices:
            splits[split] = _split_data(source, path, split, indices, stain, say)
    for needed in ("train", "valid"):
        if needed not in splits:
            raise InputError(f"{path}: no labelled tile in the split {needed}; training needs some")
    missing = set(range(len(classes))) - set(labels[list(splits["train"].indices)].tolist())
    if missing:
        raise InputError(f"{path}: no training tile of class {classes[min(missing)]!r}")
    digest = content_hash(source, range(len(source.tiles)))
    facts = facts_of(source)
    return TrainingData(
        path, tiles, tuple(classes), labels, splits, digest, divided, facts, left_out.facts
    )


def _split_data(
    source: TileSource,
    path: Path,
    split: Split,
    indices: Sequence[int],
    stain: StainChoice,
    say: Callable[[str], None],
) -> SplitData:
    if path.is_dir() and stain.method != "none":
        normalized = find_normalized(
            source,
            indices,
            path,
            split,
            method=stain.method,
            convention=stain.convention,
            reference=stain.reference,
        )
        if normalized is not None:
            say(f"reading {normalized.root}: it holds the {split} tiles, normalized as asked for")
            return SplitData(normalized, indices, already_normalized=True)
    return SplitData(source, indices)


def restore_splits(source: TileSource, stated: dict[str, Split]) -> list[Tile]:
    """Give tiles the split that a run recorded for them; a tile that it does not know has none."""
    known = [tile for tile in source.tiles if tile.id in stated]
    if not known:
        raise SettingsError(
            f"{source.root}: none of its tiles is one that the run was trained with; name the data "
            "that it was trained on, or use `histo predict` for new tiles"
        )
    return [replace(tile, split=stated.get(tile.id)) for tile in source.tiles]
