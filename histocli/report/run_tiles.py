"""Tiles that a page shows, as whoever opened the data gives them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from histocli.report.pictures import Picture, photograph

SIDE_PX, GAP_PX = 128, 8


@dataclass(frozen=True)
class RunTiles:
    """Image files of some tiles of a run.

    Attributes:
        errors: Wrongly classified ones, by name; those absent are not shown.
        stain: Some before and after stain normalization; none where the model does without.
    """

    errors: Mapping[str, bytes] = field(default_factory=dict)
    stain: Sequence[tuple[bytes, bytes]] = ()


def stain_picture(pairs: Sequence[tuple[bytes, bytes]]) -> Picture | None:
    """The tiles as scanned in a row, and below each the same as normalized; None without tiles."""
    if not pairs:
        return None
    step = SIDE_PX + GAP_PX
    sheet = Image.new("RGB", (step * len(pairs) - GAP_PX, 2 * step - GAP_PX), "white")
    for column, pair in enumerate(pairs):
        for row, content in enumerate(pair):
            with Image.open(io.BytesIO(content)) as image:
                tile = image.convert("RGB").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
            sheet.paste(tile, (column * step, row * step))
    words = (
        f"{len(pairs)} tiles as they were scanned, above the same tiles after stain normalization"
    )
    return photograph(sheet, words)
