"""One phantom tile: tissue laid out by the center rule, stained, lit, and everything known of it.

The label follows PatchCamelyon's rule: a tile is ``tumor`` when tumor nuclei lie in its center
third (rows and columns 32 to 63 of 96), whatever lies around it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from histocli.data.phantom_nuclei import NUCLEI, Canvas
from histocli.data.phantom_optics import Floats, Scanner
from histocli.data.phantom_tissue import TISSUES, Keep, faded, nest, vacuoles
from histocli.errors import SettingsError

PhantomKind = Literal["normal", "tumor", "stroma", "lymphocytes", "glands"]
MINIMUM_SIZE_PX = 64
# Shares of the tiles, chosen so that the color of a tile says little of its label.
RING_TUMOR = {"tumor": 0.5, "normal": 0.25}
CENTER_NEST = {"tumor": 1.0, "normal": 0.6}
GLASS = 0.3
# What may surround the center, for both labels alike.
SURROUNDINGS = ("stroma", "lymphoid", "mixed", "mixed", "glands")
TISSUE_OF_KIND: Mapping[str, str] = {
    "stroma": "stroma",
    "lymphocytes": "lymphoid",
    "glands": "glands",
}


@dataclass(frozen=True)
class PhantomTile:
    """A tile and everything that is true of it.

    Attributes:
        pixels: uint8 RGB, shape ``(S, S, 3)``.
        concentrations: Of hematoxylin and eosin, shape ``(S, S, 2)``.
        nuclei: Where any nucleus lies, shape ``(S, S)``.
        tumor: Where a tumor nucleus lies, shape ``(S, S)``.
        label: The class.
        scanner: The stains and light that made it.
    """

    pixels: NDArray[np.uint8]
    concentrations: Floats
    nuclei: NDArray[np.bool_]
    tumor: NDArray[np.bool_]
    label: str
    scanner: Scanner

    @property
    def tumor_in_center(self) -> bool:
        """What decides the label."""
        square = center_square(len(self.tumor))
        return bool(self.tumor[square, square].any())

    @property
    def tumor_in_ring(self) -> bool:
        """Whether tumor nuclei lie outside the center."""
        ring = self.tumor.copy()
        square = center_square(len(ring))
        ring[square, square] = False
        return bool(ring.any())


def center_square(size_px: int) -> slice:
    """Rows (and columns) of the center third: 32 to 63 of 96."""
    return slice(size_px // 3, size_px - size_px // 3)


def phantom_tile(
    kind: PhantomKind, scanner: Scanner, generator: np.random.Generator, size_px: int = 96
) -> PhantomTile:
    """Draw one tile at 1 micron per pixel.

    Args:
        kind: Its class.
        scanner: Stains and light.
        generator: Everything random comes from it.
        size_px: Side of the tile.

    Raises:
        SettingsError: If the kind is unknown or the size too small for a center and a ring.
    """
    if kind not in get_args(PhantomKind):
        raise SettingsError(
            f"unknown kind of tile {kind!r}; choose one of {', '.join(get_args(PhantomKind))}"
        )
    if size_px < MINIMUM_SIZE_PX:
        raise SettingsError(f"{size_px} px is too small a tile; choose {MINIMUM_SIZE_PX} or more")
    canvas = Canvas.of_glass(size_px)
    if kind in TISSUE_OF_KIND:
        TISSUES[TISSUE_OF_KIND[kind]](canvas, _everywhere(canvas), generator)
    else:
        _draw_by_center_rule(canvas, kind, generator)
    thickness = faded(canvas, generator)
    concentrations = np.stack(
        [
            scanner.strength[0] * thickness * np.maximum(canvas.hematoxylin, 0),
            scanner.strength[1] * thickness * np.maximum(canvas.eosin, 0),
        ],
        axis=-1,
    )
    pixels = scanner.expose(concentrations, generator)
    return PhantomTile(pixels, concentrations, canvas.nuclei, canvas.tumor, kind, scanner)


def _draw_by_center_rule(canvas: Canvas, label: str, generator: np.random.Generator) -> None:
    """Surroundings, nests of tumor and of benign cells: who lies in the center makes the label."""
    size = canvas.size_px
    row, column = size / 2 + generator.uniform(-5, 5, 2)
    center = (float(row), float(column), float(generator.uniform(13, 17)))
    ring_tumor = generator.uniform() < RING_TUMOR[label]
    rings = [_place_in_ring(size, generator)] if generator.uniform() < 0.6 or ring_tumor else []
    has_nest = generator.uniform() < CENTER_NEST[label]
    keep = _outside(canvas, [center, *rings] if has_nest else rings)

    TISSUES[str(generator.choice(SURROUNDINGS))](canvas, keep, generator)
    keep_away = (size / 2, size / 2, center[2] + 8)
    kept = _everywhere(canvas)
    if generator.uniform() < GLASS:
        kept = vacuoles(canvas, keep_away, generator)
        canvas.nuclei &= kept
    for outline in rings:
        cells = "tumor" if ring_tumor else "epithelial"
        count = int(generator.integers(2, 6)) * (1 if ring_tumor else 3)
        nest(canvas, cells, outline, count, _far_from_center(canvas) & kept, generator)
    if has_nest:
        cells = "tumor" if label == "tumor" else "epithelial"
        count = int(generator.integers(3, 8) if label == "tumor" else generator.integers(7, 17))
        nest(canvas, cells, center, count, _square(canvas), generator)


def _place_in_ring(size_px: int, generator: np.random.Generator) -> tuple[float, float, float]:
    """A nest between the center and the tile's edge."""
    angle = generator.uniform(0, 2 * np.pi)
    reach = size_px * generator.uniform(0.40, 0.50)
    row, column = size_px / 2 + reach * np.sin(angle), size_px / 2 + reach * np.cos(angle)
    return float(row), float(column), float(generator.uniform(10, 14))


def _outside(canvas: Canvas, circles: list[tuple[float, float, float]]) -> Keep:
    rows, columns = np.indices((canvas.size_px, canvas.size_px))
    keep = _everywhere(canvas)
    for row, column, radius in circles:
        keep &= np.hypot(rows - row, columns - column) > radius + 3
    return keep


def _everywhere(canvas: Canvas) -> Keep:
    return np.ones((canvas.size_px, canvas.size_px), np.bool_)


def _square(canvas: Canvas) -> Keep:
    inside = np.zeros((canvas.size_px, canvas.size_px), np.bool_)
    square = center_square(canvas.size_px)
    inside[square, square] = True
    return inside


def _far_from_center(canvas: Canvas) -> Keep:
    """Where a tumor nucleus may lie without reaching into the center."""
    kind = NUCLEI["tumor"]
    reach = (kind.radius_px[0] + 3 * kind.radius_px[1]) * kind.elongation[1] + 2
    square = center_square(canvas.size_px)
    rows, columns = np.indices((canvas.size_px, canvas.size_px))
    beyond = np.maximum(
        np.maximum(square.start - rows, rows - square.stop + 1),
        np.maximum(square.start - columns, columns - square.stop + 1),
    )
    far: Keep = beyond > reach
    return far
