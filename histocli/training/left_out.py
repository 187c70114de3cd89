"""Tiles that a check found unfit: out of training and validation, but never out of the test.

A model will meet blurred and inked tiles in practice. A test without them would promise more than it
keeps, so a test split keeps its rejects. Of a tile that also stands in the test, or nearly so, all other
copies are left out, the one that the check kept as well: no leak stays, whoever divided the data.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from histocli.data.tiles import Tile, TileSource
from histocli.data.verdicts import Rejects, read_rejects
from histocli.plurals import counted

LEFT_OUT_OF = ("train", "valid")
NAMED = 4


@dataclass(frozen=True)
class LeftOut:
    """What is not trained or validated on.

    Attributes:
        tiles: Their ids.
        facts: For the record of the run.
    """

    tiles: frozenset[str] = frozenset()
    facts: Mapping[str, Any] = field(default_factory=dict)


def left_out_by(
    qc: Path, source: TileSource, tiles: Sequence[Tile], say: Callable[[str], None]
) -> LeftOut:
    """Read a ``qc.csv``, say what it changes.

    Args:
        qc: The table.
        source: The data set.
        tiles: Its table, divided.
        say: Told how many tiles are left out, and why.

    Raises:
        InputError: If the table cannot be read.
        SettingsError: If it speaks of other tiles.
    """
    rejects = read_rejects(qc, source)
    labelled = [tile for tile in tiles if tile.label is not None]
    unfit = {*rejects.reasons, *_copied_in_test(rejects, tiles)}
    out: set[str] = set()
    counts: dict[str, int] = {}
    for split in LEFT_OUT_OF:
        found = [tile.id for tile in labelled if tile.split == split and tile.id in unfit]
        total = sum(tile.split == split for tile in labelled)
        counts[split] = len(found)
        out |= set(found)
        by_reason = list(rejects.by_reason(found).items())[:NAMED]
        reasons = ", ".join(f"{reason} {count}" for reason, count in by_reason)
        say(
            f"qc: {len(found)} of {total} tiles left out of {split}"
            + (f" ({reasons})" * bool(found))
        )
    kept = sum(tile.split == "test" and tile.id in rejects.reasons for tile in labelled)
    if kept:
        say(f"qc: {counted(kept, 'reject')} kept in test: a model will meet such tiles in practice")
    if rejects.checked < len(source.tiles):
        say(f"qc: {counted(len(source.tiles) - rejects.checked, 'tile')} not in {qc}: kept")
    facts = {
        "path": str(qc.resolve()),
        "sha256": hashlib.sha256(qc.read_bytes()).hexdigest(),
        "left_out": counts,
        "kept_in_test": kept,
    }
    return LeftOut(frozenset(out), facts)


def _copied_in_test(rejects: Rejects, tiles: Sequence[Tile]) -> set[str]:
    """Tiles that passed, but of which the test has a copy."""
    tested = {tile.id for tile in tiles if tile.split == "test"}
    return {kept for copy, kept in rejects.kept_instead.items() if copy in tested}
