"""A picture of the rejects, by reason: one look says whether the thresholds are right."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from histocli.atomic_files import write_bytes
from histocli.plurals import counted

MAXIMUM_TILES = 60
COLUMNS, FEWEST_COLUMNS = 10, 4
TILE_PX, GAP_PX, CAPTION_PX, HEADING_PX, MARGIN_PX = 128, 10, 34, 34, 16
CAPTION_CHARACTERS = 24
PAPER, INK, FAINT, MISSING = "#ffffff", "#1a1a1a", "#5f6368", "#d9dce0"


@dataclass(frozen=True)
class RejectedTile:
    """What the sheet shows of a tile.

    Attributes:
        index: Position in the source's table.
        name: Its id.
        reason: The first of its reasons.
        caption: The measure behind it, in words.
    """

    index: int
    name: str
    reason: str
    caption: str


def choose_tiles(
    rejected: Sequence[RejectedTile], maximum: int = MAXIMUM_TILES
) -> dict[str, list[RejectedTile]]:
    """Take turns between the reasons until the sheet is full; evenly spread within each."""
    found: dict[str, list[RejectedTile]] = {}
    for tile in rejected:
        found.setdefault(tile.reason, []).append(tile)
    by_reason = dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))
    turns = [tile for turn in zip_longest(*by_reason.values()) for tile in turn if tile is not None]
    quota = dict.fromkeys(by_reason, 0)
    for tile in turns[:maximum]:
        quota[tile.reason] += 1
    return {
        reason: [tiles[position * len(tiles) // quota[reason]] for position in range(quota[reason])]
        for reason, tiles in by_reason.items()
    }


def write_contact_sheet(
    path: Path,
    chosen: Mapping[str, Sequence[RejectedTile]],
    totals: Mapping[str, int],
    pixels: Mapping[int, NDArray[np.uint8]],
) -> None:
    """Draw the chosen tiles, one block per reason, and write a PNG atomically.

    Args:
        path: Of the PNG.
        chosen: Tiles by reason.
        totals: How many there are of each reason.
        pixels: uint8 ``(H, W, 3)`` by index; a tile without any is drawn as a grey square.
    """
    widest = max((len(tiles) for tiles in chosen.values()), default=0)
    columns = min(COLUMNS, max(FEWEST_COLUMNS, widest))
    rows = {reason: -(-len(tiles) // columns) for reason, tiles in chosen.items()}
    cell_height = TILE_PX + CAPTION_PX
    height = 2 * MARGIN_PX + sum(HEADING_PX + count * cell_height for count in rows.values())
    width = 2 * MARGIN_PX + columns * (TILE_PX + GAP_PX) - GAP_PX
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN_PX
    for reason, tiles in chosen.items():
        draw.text(
            (MARGIN_PX, top + 4), _heading(reason, totals[reason], len(tiles)), INK, _font(17)
        )
        top += HEADING_PX
        for position, tile in enumerate(tiles):
            left = MARGIN_PX + position % columns * (TILE_PX + GAP_PX)
            upper = top + position // columns * cell_height
            _draw_tile(sheet, (left, upper), tile, pixels.get(tile.index))
        top += rows[reason] * cell_height
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    write_bytes(path, buffer.getvalue())


def _draw_tile(
    sheet: Image.Image,
    corner: tuple[int, int],
    tile: RejectedTile,
    pixels: NDArray[np.uint8] | None,
) -> None:
    left, top = corner
    draw = ImageDraw.Draw(sheet)
    frame = (left - 1, top - 1, left + TILE_PX, top + TILE_PX)
    if pixels is None:
        draw.rectangle(frame, MISSING)
        draw.text((left + TILE_PX / 2, top + TILE_PX / 2), "no image", FAINT, _font(13), "mm")
    else:
        image = Image.fromarray(pixels)
        image.thumbnail((TILE_PX, TILE_PX))
        factor = TILE_PX / max(image.size)
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        sheet.paste(image.resize(size, Image.Resampling.BICUBIC), corner)
    draw.rectangle(frame, outline=FAINT)
    draw.text((left, top + TILE_PX + 3), shortened(tile.name), INK, _font(11))
    draw.text((left, top + TILE_PX + 16), shortened(tile.caption), FAINT, _font(11))


def shortened(text: str, length: int = CAPTION_CHARACTERS) -> str:
    """The end of a path, where the names differ, with an ellipsis for what was cut."""
    last = text.rsplit("/", 1)[-1]
    return last if len(last) <= length else "…" + last[-(length - 1) :]


def _heading(reason: str, total: int, shown: int) -> str:
    some = "" if shown == total else f", {shown} of them shown"
    return f"{reason.replace('_', ' ')}: {counted(total, 'tile')}{some}"


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
