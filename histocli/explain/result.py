"""``attention.json``: what the maps of some tiles say together."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np

from histocli.explain.layers import Layer
from histocli.explain.record import ExplainedTile
from histocli.explain.scores.center import CenterBox, ceiling_share, chance_share
from histocli.explain.scores.summary import summarize_region, summarize_shares, summarize_stain
from histocli.models.classifier import ModelCard

# In place of a layer's name where a method changes the tile itself.
INPUT = "input"
RING_ONLY = "tumor in the ring only"


def describe_result(
    tiles: Sequence[ExplainedTile],
    card: ModelCard,
    layer: Layer | None,
    center_px: int,
    seed: int,
) -> dict[str, Any]:
    """Summarize explained tiles by true class.

    Box, chance level and ceiling are those of the size that most tiles have; a tile's enrichment is
    relative to its own chance level.

    Args:
        tiles: One or more.
        card: Of the model.
        layer: What was explained; None for the tile itself.
        center_px: Side of the center box.
        seed: Of the bootstrap.
    """
    sizes = Counter(tile.size_px for tile in tiles)
    (height, width), _ = max(sizes.items(), key=lambda item: (item[1], item[0]))
    grid = (height, width) if layer is None else layer.grid
    box = CenterBox.of(height, width, center_px)
    ceiling = ceiling_share(grid, height, width, box)
    binary = len(card.classes) == 2
    notes = _notes(grid, (height, width), box, ceiling, len(sizes))
    return {
        "layer": INPUT if layer is None else layer.name,
        "grid": list(grid),
        "tiles": len(tiles),
        "tile_size_px": [height, width],
        "center_box": asdict(box),
        "center_px": center_px,
        "chance_share": chance_share(height, width, box),
        "ceiling_share": ceiling,
        "explained": {
            "rule": "positive class" if binary else "predicted class",
            "class": card.positive_class if binary else None,
        },
        "groups": {
            name: _summarize([tile for tile in tiles if tile.label == name], seed)
            for name in card.classes
            if any(tile.label == name for tile in tiles)
        },
        "regions": _by_group(tiles, card, "regions", seed),
        "stains": _by_group(tiles, card, "stains", seed),
        **({"note": " ".join(notes)} if notes else {}),
    }


def tile_groups(
    tiles: Sequence[ExplainedTile], classes: Sequence[str]
) -> dict[str, list[ExplainedTile]]:
    """Tiles by true class, and those with tumor outside their center alone once more for themselves."""
    groups = {name: [tile for tile in tiles if tile.label == name] for name in classes}
    groups |= {
        f"{name}, {RING_ONLY}": [tile for tile in members if tile.ring_only]
        for name, members in groups.items()
    }
    return {name: members for name, members in groups.items() if members}


def _by_group(
    tiles: Sequence[ExplainedTile],
    card: ModelCard,
    kind: Literal["regions", "stains"],
    seed: int,
) -> dict[str, Any]:
    """By region or stain, then by group of tiles."""
    summarize = summarize_region if kind == "regions" else summarize_stain
    names = dict.fromkeys(name for tile in tiles for name in getattr(tile, kind))
    found: dict[str, Any] = {}
    for name in names:
        groups = {
            group: [
                (getattr(tile, kind)[name], tile.group)
                for tile in members
                if name in getattr(tile, kind)
            ]
            for group, members in tile_groups(tiles, card.classes).items()
        }
        found[name] = {
            group: summarize([score for score, _ in pairs], [own for _, own in pairs], seed)
            for group, pairs in groups.items()
        }
    return found


def _summarize(tiles: Sequence[ExplainedTile], seed: int) -> dict[str, Any]:
    return summarize_shares(
        np.array([tile.center_share for tile in tiles]),
        np.array([tile.chance_share for tile in tiles]),
        [tile.group for tile in tiles],
        seed,
    )


def _notes(
    grid: tuple[int, int], size: tuple[int, int], box: CenterBox, ceiling: float, sizes: int
) -> list[str]:
    cell = max(size[0] / grid[0], size[1] / grid[1])
    side = min(box.bottom - box.top, box.right - box.left)
    notes = []
    if box.area == size[0] * size[1]:
        notes.append("The center box covers the whole tile, so the share says nothing.")
    elif ceiling < 1:
        notes.append(
            f"A map of {grid[0]}x{grid[1]} cells ({cell:.0f} px each) puts at most {ceiling:.1%} of its "
            f"mass into a center box of {side} px: read the shares against this ceiling, or "
            "explain a finer layer with --layer."
        )
    elif cell > side / 2:
        notes.append(
            f"The map is coarse: each of its cells covers {cell:.0f} px of the tile, more than half the "
            f"center box of {side} px."
        )
    if sizes > 1:
        notes.append(
            f"The tiles have {sizes} sizes; chance and ceiling are those of {size[0]}x{size[1]} px."
        )
    return notes


def result_table(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and one row per class, in words for the terminal; last, tiles with tumor in the ring only."""
    header = ["class", "tiles", "center share", "chance", "ceiling", "enrichment"]
    levels = [f"{result[name]:.1%}" for name in ("chance_share", "ceiling_share")]
    rows = []
    for name, group in result["groups"].items():
        empty = f" ({group['empty_maps']} empty)" if group["empty_maps"] else ""
        share, enrichment = group["center_share"], group["enrichment"]
        rows.append(
            [
                name,
                f"{group['n']}{empty}",
                _in_words(share, ".1%"),
                *levels,
                _in_words(enrichment, ".2f"),
            ]
        )
    for name, found in result["regions"].get("center", {}).items():
        if name.endswith(RING_ONLY):
            share, enrichment = (
                _in_words(found["share"], ".1%"),
                _in_words(found["enrichment"], ".2f"),
            )
            rows.append([name, str(found["n"]), share, *levels, enrichment])
    return header, rows


def verdict_lines(result: Mapping[str, Any]) -> list[str]:
    """The verdict of the audit and each of its checks; nothing without an audit."""
    if "audit" not in result:
        return []
    verdict, tiles = result["audit"]["verdict"], result["audit"]["tiles"]
    checks = [
        f"  {'passes' if check['passed'] else 'FAILS'}: {check['says']}"
        for check in verdict["checks"]
    ]
    return [f"Audit of {tiles} tiles: {verdict['words'].partition(':')[0].rstrip('.')}.", *checks]


def _in_words(estimate: Mapping[str, Any], form: str) -> str:
    value, low, high = (estimate[key] for key in ("value", "ci_low", "ci_high"))
    if math.isnan(value):
        return "undefined"
    if math.isnan(low):
        return format(value, form)
    if form.endswith("%"):
        return f"{value:{form}} ({100 * low:.1f} to {100 * high:.1f})"
    return f"{value:{form}} ({low:{form}} to {high:{form}})"
