"""Say what a data set holds: layout, counts, groups, sizes of the tiles, and what is wrong."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from histocli.data.loading import SkippedTile, load_batches
from histocli.data.splitting import groups_across_splits
from histocli.data.tiles import SPLITS, Detailed, Inspectable, Tile, TileSource, class_names
from histocli.plurals import counted

NO_LABEL, NO_SPLIT = "(no label)", "(no split)"
SPLIT_ORDER = (*SPLITS, NO_SPLIT)
NAMED_TILES = 5


@dataclass(frozen=True)
class Description:
    """What ``describe_source`` found.

    Attributes:
        by_split: Tiles by split and class.
        groups: Distinct groups by split; empty where none are known.
        sampled: Tiles that were decoded.
        sizes: Of those, the number by ``HEIGHTxWIDTH``.
        unreadable: Of those, the ones that could not be.
        problems: In words, each with what it leads to.
        details: Facts by file, for slides.
    """

    layout: str
    tiles: int
    classes: Sequence[str]
    by_split: dict[str, dict[str, int]]
    groups: dict[str, int]
    sampled: int
    sizes: dict[str, int]
    unreadable: Sequence[SkippedTile]
    files: Sequence[str]
    problems: Sequence[str]
    details: Mapping[str, Mapping[str, object]]

    def to_json(self) -> dict[str, Any]:
        """The same as one JSON object."""
        return {
            "layout": self.layout,
            "tiles": self.tiles,
            "classes": list(self.classes),
            "by_split": self.by_split,
            "groups": self.groups,
            "sampled": self.sampled,
            "sizes": self.sizes,
            "unreadable": {tile.id: tile.reason for tile in self.unreadable},
            "files": list(self.files),
            "problems": list(self.problems),
            "details": {name: dict(facts) for name, facts in self.details.items()},
        }


def describe_source(
    source: TileSource, sample: int | None = 500, workers: int | None = None
) -> Description:
    """Count the tiles, and decode some of them.

    Args:
        source: The data set.
        sample: How many tiles to decode, drawn evenly over the table; all when None.
        workers: Decoding threads.
    """
    tiles = source.tiles
    count = len(tiles) if sample is None else min(sample, len(tiles))
    chosen = sorted({int(index) for index in np.linspace(0, len(tiles) - 1, count)})
    unreadable: list[SkippedTile] = []
    sizes: Counter[str] = Counter()
    for batch in load_batches(source, chosen, 64, unreadable, workers=workers):
        height, width = batch.pixels.shape[2:]
        sizes[f"{height}x{width}"] += len(batch.indices)
    by_split = _by_split(tiles)
    inspectable = source if isinstance(source, Inspectable) else None
    problems = [
        *(inspectable.problems if inspectable else ()),
        *_problems_of_labels(by_split),
        *_problems_of_groups(tiles),
        *_problems_of_pixels(sizes, unreadable, len(chosen)),
    ]
    return Description(
        layout=source.layout,
        tiles=len(tiles),
        classes=class_names(tiles),
        by_split=by_split,
        groups=_groups(tiles),
        sampled=len(chosen),
        sizes=dict(sizes.most_common()),
        unreadable=unreadable,
        files=[str(file) for file in inspectable.files] if inspectable else [],
        problems=problems,
        details=source.details if isinstance(source, Detailed) else {},
    )


def _by_split(tiles: Sequence[Tile]) -> dict[str, dict[str, int]]:
    counts = Counter((tile.split or NO_SPLIT, tile.label or NO_LABEL) for tile in tiles)
    found: dict[str, dict[str, int]] = {}
    for split, label in sorted(counts, key=lambda key: (SPLIT_ORDER.index(key[0]), key[1])):
        found.setdefault(split, {})[label] = counts[split, label]
    return found


def _groups(tiles: Sequence[Tile]) -> dict[str, int]:
    found: dict[str, set[str]] = {}
    for tile in tiles:
        if tile.group is not None:
            found.setdefault(tile.split or NO_SPLIT, set()).add(tile.group)
    return {split: len(groups) for split, groups in sorted(found.items())}


def _problems_of_labels(by_split: dict[str, dict[str, int]]) -> list[str]:
    classes = {label for counts in by_split.values() for label in counts} - {NO_LABEL}
    if not classes:
        return ["no tile has a label: good for normalize, qc and predict, not for train"]
    problems = []
    if len(classes) == 1:
        problems.append(f"only one class, {next(iter(classes))!r}: nothing to train on")
    for split, counts in by_split.items():
        labelled = set(counts) - {NO_LABEL}
        if NO_LABEL in counts:
            problems.append(f"{split}: {counted(counts[NO_LABEL], 'tile')} without a label")
        missing = sorted(classes - labelled) if labelled else []
        if missing:
            problems.append(f"{split}: no tile of class {', '.join(map(repr, missing))}")
    return problems


def _problems_of_groups(tiles: Sequence[Tile]) -> list[str]:
    torn = groups_across_splits(tiles)
    if torn:
        first, splits = next(iter(torn.items()))
        where = f"{first} in {' and '.join(splits)}"
        return [
            f"{counted(len(torn), 'group')} in more than one split ({where}): scores will be too good"
        ]
    without = sum(1 for tile in tiles if tile.group is None and tile.label is not None)
    if without:
        effect = "splits may leak, intervals will be too narrow"
        return [f"{counted(without, 'labelled tile')} without a group (patient or slide): {effect}"]
    return []


def _problems_of_pixels(
    sizes: Counter[str], unreadable: Sequence[SkippedTile], sampled: int
) -> list[str]:
    problems = []
    if unreadable:
        named = "; ".join(f"{tile.id}: {tile.reason}" for tile in unreadable[:NAMED_TILES])
        problems.append(f"{len(unreadable)} of {sampled} tiles read cannot be decoded ({named})")
    if len(sizes) > 1:
        usual, *others = sizes
        problems.append(
            f"tiles differ in size: {sum(sizes[size] for size in others)} of {sampled} are not {usual}"
        )
    return problems
