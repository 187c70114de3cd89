"""Which rejects a contact sheet shows: one sheet of all, and one for each reason."""

import math
from pathlib import Path

from histocli.data.tiles import TileSource
from histocli.errors import UnreadableTileError
from histocli.qc.contact_sheet import (
    MAXIMUM_TILES,
    RejectedTile,
    choose_tiles,
    shortened,
    write_contact_sheet,
)
from histocli.qc.judgment import Judgment
from histocli.qc.measures import QC_MEASURES
from histocli.qc.result import SHEET_NAME, SHEETS_FOLDER
from histocli.qc.verdict import MEASURES_OF_REASON, UNREADABLE


def write_sheets(source: TileSource, output: Path, judgment: Judgment) -> None:
    """Draw ``contact_sheet.png`` and ``contact_sheets/REASON.png``; remove those of an earlier run."""
    by_reason: dict[str, list[RejectedTile]] = {}
    firsts: list[RejectedTile] = []
    for place, verdict in enumerate(judgment.verdicts):
        for number, reason in enumerate(verdict.reasons):
            shown = RejectedTile(
                place, source.tiles[place].id, reason, _caption(judgment, place, reason)
            )
            by_reason.setdefault(reason, []).append(shown)
            if number == 0:
                firsts.append(shown)
    folder = output / SHEETS_FOLDER
    for path in (output / SHEET_NAME, *sorted(folder.glob("*.png"))):
        path.unlink(missing_ok=True)
    if not firsts:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        return
    _draw(source, output / SHEET_NAME, firsts)
    for reason, tiles in sorted(by_reason.items()):
        _draw(source, folder / f"{reason}.png", tiles)


def _draw(source: TileSource, path: Path, rejected: list[RejectedTile]) -> None:
    totals: dict[str, int] = {}
    for tile in rejected:
        totals[tile.reason] = totals.get(tile.reason, 0) + 1
    chosen = choose_tiles(rejected, MAXIMUM_TILES)
    pixels = {}
    for tile in (tile for tiles in chosen.values() for tile in tiles):
        if tile.reason != UNREADABLE:
            try:
                pixels[tile.index] = source.read(tile.index)
            except UnreadableTileError:
                continue
    write_contact_sheet(path, chosen, totals, pixels)


def _caption(judgment: Judgment, place: int, reason: str) -> str:
    """The measure behind a reason, or the tile that is kept in this one's stead."""
    measured = judgment.measured
    kept = judgment.duplicates.kept.get(measured.tiles[place].id)
    if reason in MEASURES_OF_REASON:
        columns = [list(QC_MEASURES).index(name) for name in MEASURES_OF_REASON[reason]]
        value, column = max((float(measured.values[place, column]), column) for column in columns)
        name = list(QC_MEASURES)[column]
        return name.replace("_", " ") + ("" if math.isnan(value) else f" {value:.3f}")
    if kept is not None:
        return f"as {shortened(kept, 21)}"
    if reason == UNREADABLE:
        return UNREADABLE
    height, width = measured.sizes_px[place].tolist()
    return f"{width} x {height} px"
