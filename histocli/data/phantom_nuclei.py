"""The phantom's canvas and its nuclei: ellipses with irregular, soft outlines and chromatin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from histocli.data.phantom_optics import Floats
from histocli.data.phantom_textures import smooth_noise

# At 1 micron per pixel an edge in focus is about this wide on each side.
EDGE_PX = 0.7


@dataclass(frozen=True)
class NucleusKind:
    """How the nuclei of one kind of cell look, sizes at 1 micron per pixel.

    Attributes:
        radius_px: Mean and standard deviation of the short half-axis.
        elongation: Lowest and highest ratio of the axes.
        irregularity: Standard deviation of the outline's bulges, share of the radius.
        hematoxylin: Lowest and highest concentration.
        chromatin: Contrast of the clumps inside.
        nucleolus: Whether a dark spot can be seen.
    """

    radius_px: tuple[float, float]
    elongation: tuple[float, float]
    irregularity: float
    hematoxylin: tuple[float, float]
    chromatin: float = 0.12
    nucleolus: bool = False


NUCLEI: Mapping[str, NucleusKind] = {
    "lymphocyte": NucleusKind((3.0, 0.25), (1.0, 1.2), 0.03, (1.35, 1.95)),
    "fibroblast": NucleusKind((1.7, 0.25), (2.4, 4.2), 0.04, (1.10, 1.70)),
    "epithelial": NucleusKind((3.3, 0.25), (1.1, 1.5), 0.03, (1.00, 1.50)),
    "tumor": NucleusKind((5.4, 0.9), (1.0, 1.6), 0.07, (1.10, 1.90), 0.28, nucleolus=True),
}


@dataclass
class Canvas:
    """What has been drawn so far; all arrays have the shape ``(S, S)``."""

    size_px: int
    hematoxylin: Floats
    eosin: Floats
    nuclei: NDArray[np.bool_]
    tumor: NDArray[np.bool_]
    # Row, column and reach of each nucleus drawn, one a column.
    placed: Floats = field(default_factory=lambda: np.empty((3, 0)))

    @classmethod
    def of_glass(cls, size_px: int) -> "Canvas":
        """An empty slide."""
        shape = (size_px, size_px)
        nothing = np.zeros(shape, np.bool_)
        return cls(size_px, np.zeros(shape), np.zeros(shape), nothing, nothing.copy())

    def is_free(self, row: float, column: float, reach: float) -> bool:
        """Whether a nucleus may lie here without covering another."""
        rows, columns, reaches = self.placed
        apart = (rows - row) ** 2 + (columns - column) ** 2
        return bool((apart >= (reaches + reach) ** 2).all())

    def take(self, row: float, column: float, reach: float) -> None:
        """Remember a nucleus."""
        self.placed = np.concatenate([self.placed, [[row], [column], [reach]]], axis=1)


def draw_nucleus(
    canvas: Canvas,
    name: str,
    center: Sequence[float],
    generator: np.random.Generator,
    angle: float | None = None,
) -> bool:
    """Draw one nucleus, unless another lies there already.

    Args:
        canvas: What to draw on.
        name: A key of ``NUCLEI``.
        center: Row and column.
        generator: Size, shape and darkness are drawn from it.
        angle: Direction of the long axis, radians; any when None.

    Returns:
        Whether it was drawn.
    """
    kind = NUCLEI[name]
    short = max(0.6 * kind.radius_px[0], generator.normal(*kind.radius_px))
    long = short * generator.uniform(*kind.elongation)
    row, column = float(center[0]), float(center[1])
    reach = float(np.sqrt(short * long))
    if not canvas.is_free(row, column, reach):
        return False
    direction = generator.uniform(0, np.pi) if angle is None else angle
    bulges = generator.normal(0, kind.irregularity, 3)
    phases = generator.uniform(0, 2 * np.pi, 3)
    darkness = generator.uniform(*kind.hematoxylin)

    margin = int(np.ceil(long * 1.4 + 2))
    top, bottom = max(0, int(row) - margin), min(canvas.size_px, int(row) + margin + 1)
    left, right = max(0, int(column) - margin), min(canvas.size_px, int(column) + margin + 1)
    if top >= bottom or left >= right:
        return False
    canvas.take(row, column, reach)

    down = np.arange(top, bottom)[:, None] - row
    across = np.arange(left, right)[None, :] - column
    along = (across * np.cos(direction) + down * np.sin(direction)) / long
    beside = (down * np.cos(direction) - across * np.sin(direction)) / short
    theta = np.arctan2(beside, along)
    outline = 1 + sum(
        bulge * np.cos((order + 2) * theta + phase)
        for order, (bulge, phase) in enumerate(zip(bulges, phases, strict=True))
    )
    distance = (outline - np.hypot(along, beside)) * short
    cover = 0.5 * (1 + np.tanh(distance / EDGE_PX))

    clumps = smooth_noise(2 * margin + 1, 3.0, generator)[: bottom - top, : right - left]
    stain = darkness * (1 + kind.chromatin * np.clip(clumps, -1.5, 1.5))
    if kind.nucleolus:
        # Open chromatin with a rim and a nucleolus, as in high-grade carcinoma.
        stain *= 0.82 + 0.30 * np.exp(-((distance / 1.2) ** 2))
        spot = generator.uniform(-0.3, 0.3, 2)
        stain += 0.7 * np.exp(-((along - spot[0]) ** 2 + (beside - spot[1]) ** 2) * short**2 / 2.5)
    _blend(canvas, (slice(top, bottom), slice(left, right)), cover, stain, tumor=name == "tumor")
    return True


def _blend(
    canvas: Canvas, window: tuple[slice, slice], cover: Floats, stain: Floats, *, tumor: bool
) -> None:
    # A nucleus displaces the cytoplasm, and the eosin with it.
    canvas.hematoxylin[window] += cover * (stain - canvas.hematoxylin[window])
    canvas.eosin[window] *= 1 - 0.98 * cover
    inside = cover > 0.5
    canvas.nuclei[window] |= inside
    if tumor:
        canvas.tumor[window] |= inside
