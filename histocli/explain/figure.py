"""``gradcam_analysis.png``: chosen tiles, their maps, and what the model said of them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from histocli.data.images import read_image
from histocli.data.tiles import TileSource
from histocli.explain.drawing import (
    COLORMAP,
    CORRECT,
    FRAME,
    INK,
    MUTED,
    WRONG,
    colored,
    overlaid,
    written_figure,
)
from histocli.explain.methods import METHODS
from histocli.explain.scores.center import CenterBox
from histocli.explain.selection import Choice

# Inches.
TILE, GAP, MARGIN, CAPTION, HEADER, FOOTER = 1.9, 0.1, 0.25, 2.55, 1.2, 0.75
VALUE = 0.75  # from the left of a caption to its second column
NAME_CHARACTERS, CLASS_CHARACTERS, HEADING_CHARACTERS = 34, 20, 11

# From uint8 tiles (H, W, 3) to the same, with their stains normalised.
Normalize = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def write_figure(
    path: Path,
    source: TileSource,
    output: Path,
    choices: Sequence[Choice],
    result: Mapping[str, Any],
    normalize: Normalize | None = None,
) -> None:
    """Draw one row per chosen tile and write the PNG, whole, with the same bytes each time.

    Args:
        path: Of the PNG.
        source: Where the tiles are.
        output: Folder of the explanation, with the maps.
        choices: Rows.
        result: Content of ``attention.json``.
        normalize: Gives the tile as the network sees it; None where that is the tile itself.
    """
    columns = 3 if normalize is None else 4
    width = 2 * MARGIN + columns * (TILE + GAP) + CAPTION
    height = HEADER + len(choices) * (TILE + GAP) + FOOTER
    with written_figure(path, width, height) as figure:
        _draw_header(figure, result, normalized=normalize is not None)
        for row, choice in enumerate(choices):
            top = height - HEADER - row * (TILE + GAP)
            pixels = source.read(choice.tile.index)
            attention = read_image(output / choice.tile.map_file)[..., 0] / 255
            box = CenterBox.of(*choice.tile.size_px, int(result["center_px"]))
            pictures: list[NDArray[Any]]
            pictures = [pixels, colored(attention), overlaid(pixels, attention)]
            if normalize is not None:
                pictures.insert(1, normalize(pixels))
            for column, picture in enumerate(pictures):
                axes = _axes(figure, MARGIN + column * (TILE + GAP), top - TILE, TILE, TILE)
                _draw_picture(axes, picture, box, on_tissue=column != columns - 2)
            _draw_caption(figure, choice, MARGIN + columns * (TILE + GAP) + 0.08, top)
        _draw_scale(figure, columns)


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes placed in inches."""
    across, up = figure.get_size_inches()
    axes: Axes = figure.add_axes((left / across, bottom / up, width / across, height / up))
    return axes


def _text(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Text whose upper left corner is placed in inches."""
    across, up = figure.get_size_inches()
    figure.text(left / across, top / up, text, ha="left", va="top", **style)


def _draw_header(figure: Figure, result: Mapping[str, Any], *, normalized: bool) -> None:
    top = figure.get_size_inches()[1]
    method = METHODS[result["method"]]
    rows, columns = result["grid"]
    views = ", mean of all turns and flips" if result["test_time_augmentation"] == "d4" else ""
    _text(
        figure,
        MARGIN,
        top - 0.16,
        f"Where the model looks: {method}",
        fontsize=13,
        fontweight="bold",
    )
    chance, ceiling = result["chance_share"], result["ceiling_share"]
    box = f"center box {result['center_px']} px of {result['tile_size_px'][1]} px"
    lines = (
        f"layer {result['layer']}, grid {rows}\N{MULTIPLICATION SIGN}{columns}{views}",
        f"{box}; share of a map inside: {chance:.1%} by chance, at most {ceiling:.1%} on this grid",
    )
    for position, line in enumerate(lines):
        _text(figure, MARGIN, top - 0.44 - 0.2 * position, line, color=MUTED)
    explained = result["explained"]["class"]
    evidence = (
        f"evidence for {_short(explained, HEADING_CHARACTERS) if explained else 'prediction'}"
    )
    names = ("tile", *(("normalized",) if normalized else ()), evidence, "overlay")
    for column, name in enumerate(names):
        left = MARGIN + column * (TILE + GAP)
        _text(figure, left, top - HEADER + 0.24, name, fontweight="bold")


def _draw_picture(axes: Axes, picture: NDArray[Any], box: CenterBox, *, on_tissue: bool) -> None:
    axes.imshow(picture, interpolation="lanczos" if on_tissue else "nearest", aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=FRAME, linewidth=0.8)
    corner = (box.left - 0.5, box.top - 0.5)
    size = (box.right - box.left, box.bottom - box.top)
    # White within black is seen on pale glass, dark nuclei and every color of the map.
    for color, line_width in (("black", 2.6), ("white", 1.2)):
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=color, linewidth=line_width))


def _draw_caption(figure: Figure, choice: Choice, left: float, top: float) -> None:
    tile = choice.tile
    color, mark = (
        (CORRECT, "\N{CHECK MARK} correct") if tile.is_correct else (WRONG, "\N{BALLOT X} wrong")
    )
    _text(figure, left, top - 0.1, mark, color=color, fontsize=12, fontweight="bold")
    share = (
        "empty map: nothing speaks for it"
        if tile.is_empty
        else f"{tile.center_share:.1%} in the center"
    )
    times = "" if tile.is_empty else f"{tile.enrichment:.1f} times chance"
    lines = (
        ("truth", _short(tile.label or "unknown"), INK),
        ("predicted", _short(tile.predicted), INK),
        (f"P({_short(tile.explained_class)}) = {tile.probability:.3f}", "", INK),
        (share, "", INK),
        (times, "", INK),
        (choice.reason, "", MUTED),
    )
    for position, (line, value, ink) in enumerate(lines):
        height = top - 0.42 - 0.2 * position
        _text(figure, left, height, line, color=ink)
        _text(figure, left + VALUE, height, value, color=ink, fontweight="bold")
    _text(figure, left, top - 1.68, _short(tile.id, NAME_CHARACTERS), color=MUTED, fontsize=7)


def _draw_scale(figure: Figure, columns: int) -> None:
    axes = _axes(figure, MARGIN, 0.42, columns * (TILE + GAP) - GAP, 0.12)
    scale = figure.colorbar(
        ScalarMappable(cmap=COLORMAP), cax=axes, orientation="horizontal", ticks=[0, 0.5, 1]
    )
    scale.outline.set_visible(False)
    axes.tick_params(length=0, pad=3, labelsize=8, labelcolor=MUTED)
    axes.set_xticklabels(["0", "attention, relative to the strongest place of the same map", "1"])


def _short(name: str, length: int = CLASS_CHARACTERS) -> str:
    """The end of a path or a long name, with an ellipsis for what was cut."""
    return name if len(name) <= length else "…" + name[-(length - 1) :]
