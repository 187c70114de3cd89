"""Columns to divide a split by: those of its table, and some that are computed of its tiles."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from histocli.data.color_statistics import stain_look, tissue_and_blue_share, tissue_quarter
from histocli.data.loading import load_batches
from histocli.data.tiles import TileSource
from histocli.data.verdicts import read_rejects
from histocli.errors import SettingsError

Advance = Callable[[int], None]
STAIN_LOOK, TISSUE, QC = "stain-look", "tissue", "qc"
COMPUTED = (STAIN_LOOK, TISSUE, QC)
PASSED = "passed"


def subgroup_columns(
    names: Sequence[str],
    source: TileSource,
    indices: Sequence[int],
    qc: Path | None,
    begin: Callable[[str, int], Advance],
    workers: int | None = None,
) -> dict[str, list[str | None]]:
    """The value of each tile in each column.

    Args:
        names: Columns of the table, ``group``, ``label``, or of ``COMPUTED``.
        source: The tiles.
        indices: Which of them.
        qc: A ``qc.csv``; the column ``qc`` needs it. A tile has its first reason, or ``passed``.
        begin: Called with the stage and its number of tiles, where tiles must be read.
        workers: Decoding threads.

    Raises:
        SettingsError: If there is no such column.
    """
    computed: dict[str, list[str | None]] = {}
    if {STAIN_LOOK, TISSUE} & set(names):
        computed |= _of_pixels(source, indices, begin("reading colors", len(indices)), workers)
    if QC in names:
        computed[QC] = _verdicts(source, indices, qc)
    return {name: computed.get(name) or _of_table(name, source, indices) for name in names}


def _of_table(name: str, source: TileSource, indices: Sequence[int]) -> list[str | None]:
    tiles = [source.tiles[index] for index in indices]
    if name == "group":
        return [tile.group for tile in tiles]
    if name == "label":
        return [tile.label for tile in tiles]
    if not any(name in tile.extra for tile in tiles):
        known = sorted({column for tile in tiles for column in tile.extra})
        raise SettingsError(
            f"--by {name}: the table of {source.root} has no such column; there are "
            f"{', '.join(['group', 'label', *known])}, and computed of the tiles {', '.join(COMPUTED)}"
        )
    return [tile.extra.get(name) for tile in tiles]


def _of_pixels(
    source: TileSource, indices: Sequence[int], advance: Advance, workers: int | None
) -> dict[str, list[str | None]]:
    looks: dict[int, str] = {}
    quarters: dict[int, str] = {}
    for batch in load_batches(source, indices, 64, [], workers=workers):
        tissue, blue = tissue_and_blue_share(batch.pixels)
        for index, one, other in zip(
            batch.indices.tolist(), tissue.tolist(), blue.tolist(), strict=True
        ):
            looks[index], quarters[index] = stain_look(one, other), tissue_quarter(one)
        advance(len(batch.indices))
    return {
        STAIN_LOOK: [looks.get(index) for index in indices],
        TISSUE: [quarters.get(index) for index in indices],
    }


def _verdicts(source: TileSource, indices: Sequence[int], qc: Path | None) -> list[str | None]:
    if qc is None:
        raise SettingsError("--by qc needs the table of a check: name it with --qc qc.csv")
    reasons: Mapping[str, Sequence[str]] = read_rejects(qc, source).reasons
    return [next(iter(reasons.get(source.tiles[index].id, ())), PASSED) for index in indices]
