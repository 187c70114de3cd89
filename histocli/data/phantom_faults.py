"""The faults that real tiles have, planted so that quality control can be shown to find them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from histocli.atomic_files import write_bytes
from histocli.data.phantom_tiles import PhantomTile
from histocli.data.png import encode_png
from histocli.data.writing import write_tile

Pixels = NDArray[np.uint8]
FAULTS = ("blank", "blur", "duplicate", "black", "truncated")
# Far out of focus: the nuclei of lymphocytes, 6 px wide, melt into one another.
BLUR_RADIUS_PX = 3.5


def assign_faults(candidates: Sequence[int], seed: int) -> dict[int, str]:
    """Choose one tile for each fault."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    chosen = generator.choice(len(candidates), len(FAULTS), replace=False)
    return {
        candidates[int(position)]: fault for position, fault in zip(chosen, FAULTS, strict=True)
    }


def write_faulty_tile(
    path: Path, fault: str, tile: PhantomTile, generator: np.random.Generator
) -> None:
    """Write a tile with one of ``FAULTS``."""
    if fault == "truncated":
        content = encode_png(tile.pixels)
        write_bytes(path, content[: int(0.6 * len(content))])
    else:
        write_tile(path, _SPOILED[fault](tile, generator))


def _glass(tile: PhantomTile, generator: np.random.Generator) -> Pixels:
    return tile.scanner.expose(np.zeros_like(tile.concentrations), generator)


def _out_of_focus(tile: PhantomTile, generator: np.random.Generator) -> Pixels:
    image = Image.fromarray(tile.pixels).filter(ImageFilter.GaussianBlur(BLUR_RADIUS_PX))
    noise = tile.scanner.noise * generator.standard_normal(tile.pixels.shape)
    return np.clip(np.round(np.asarray(image) + noise), 0, 255).astype(np.uint8)


def _beyond_the_slide(tile: PhantomTile, _generator: np.random.Generator) -> Pixels:
    return np.zeros_like(tile.pixels)


def _unchanged(tile: PhantomTile, _generator: np.random.Generator) -> Pixels:
    return tile.pixels


_SPOILED: Mapping[str, Callable[[PhantomTile, np.random.Generator], Pixels]] = {
    "blank": _glass,
    "blur": _out_of_focus,
    "duplicate": _unchanged,
    "black": _beyond_the_slide,
}
