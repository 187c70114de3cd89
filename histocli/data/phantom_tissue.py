"""The phantom's tissues: stroma, lymphoid tissue, glands, fat, nests of tumor or benign cells."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from histocli.data.phantom_nuclei import Canvas, draw_nucleus
from histocli.data.phantom_optics import Floats
from histocli.data.phantom_textures import (
    coordinates,
    fibers,
    fractal_noise,
    smooth_noise,
    soft_step,
)

Keep = NDArray[np.bool_]


def stroma(canvas: Canvas, keep: Keep, generator: np.random.Generator) -> None:
    """Collagen fibres with spindle nuclei along them, and a few lymphocytes."""
    angle = generator.uniform(0, np.pi)
    strands = fibers(canvas.size_px, angle, generator)
    canvas.eosin += generator.uniform(0.45, 0.65) + generator.uniform(0.5, 0.8) * strands
    scatter(canvas, "fibroblast", generator.uniform(0.0030, 0.0055), keep, generator, angle)
    scatter(canvas, "lymphocyte", generator.uniform(0.0002, 0.0016), keep, generator)


def lymphoid(canvas: Canvas, keep: Keep, generator: np.random.Generator) -> None:
    """Crowded small round nuclei on a thin, patchy ground."""
    texture = fractal_noise(canvas.size_px, 9, generator)
    canvas.eosin += np.maximum(0.15, generator.uniform(0.55, 0.75) + 0.28 * texture)
    canvas.hematoxylin += np.maximum(0, 0.06 * smooth_noise(canvas.size_px, 12, generator))
    scatter(canvas, "lymphocyte", generator.uniform(0.011, 0.017), keep, generator)


def mixed(canvas: Canvas, keep: Keep, generator: np.random.Generator) -> None:
    """Cellular tissue: granular cytoplasm, epithelial cells and lymphocytes in patches."""
    texture = fractal_noise(canvas.size_px, 14, generator)
    strands = fibers(canvas.size_px, generator.uniform(0, np.pi), generator)
    canvas.eosin += np.maximum(0.3, 0.62 + 0.15 * texture + 0.35 * strands)
    canvas.hematoxylin += np.maximum(0, 0.05 * smooth_noise(canvas.size_px, 16, generator))
    patch = smooth_noise(canvas.size_px, 32, generator) > 0
    scatter(canvas, "epithelial", generator.uniform(0.004, 0.008), keep & patch, generator)
    scatter(canvas, "lymphocyte", generator.uniform(0.004, 0.009), keep & ~patch, generator)
    scatter(canvas, "fibroblast", 0.001, keep, generator)


def glands(canvas: Canvas, keep: Keep, generator: np.random.Generator) -> None:
    """Round glands in stroma: a lumen, pale tall cells, and their nuclei in a ring at the base."""
    stroma(canvas, keep & _no_pixel(canvas), generator)
    rows, columns = coordinates(canvas.size_px)
    around = keep.copy()
    for row, column, radius in _separate_circles(canvas, generator, (15, 24), gap=7, tries=90):
        distance = np.hypot(rows - row, columns - column)
        distance += 1.2 * smooth_noise(canvas.size_px, 18, generator)
        epithelium = soft_step(radius + 2 - distance, 1.0)
        lumen = soft_step(0.38 * radius - distance, 1.0)
        cytoplasm = np.maximum(0.2, 0.55 + 0.12 * fractal_noise(canvas.size_px, 6, generator))
        canvas.eosin += epithelium * (cytoplasm * (1 - 0.93 * lumen) - canvas.eosin)
        around &= epithelium < 0.5
        count = int(2 * np.pi * radius / 6.6)
        start = generator.uniform(0, 2 * np.pi)
        for angle in start + np.arange(count) * 2 * np.pi / count:
            reach = radius * generator.normal(0.84, 0.03)
            center = (row + reach * np.sin(angle), column + reach * np.cos(angle))
            if _holds(keep, *center):
                draw_nucleus(canvas, "epithelial", center, generator, angle)
    scatter(canvas, "fibroblast", 0.004, around, generator)
    scatter(canvas, "lymphocyte", generator.uniform(0.0005, 0.002), around, generator)


TISSUES: Mapping[str, Callable[[Canvas, Keep, np.random.Generator], None]] = {
    "stroma": stroma,
    "lymphoid": lymphoid,
    "mixed": mixed,
    "glands": glands,
}


def scatter(
    canvas: Canvas,
    kind: str,
    density: float,
    keep: Keep,
    generator: np.random.Generator,
    angle: float | None = None,
) -> None:
    """Throw ``density`` nuclei a pixel onto tissue where ``keep`` holds; some find no room."""
    for _ in range(generator.poisson(density * canvas.size_px**2)):
        row, column = generator.uniform(0, canvas.size_px, 2)
        turn = None if angle is None else angle + generator.normal(0, 0.22)
        if _holds(keep, row, column):
            draw_nucleus(canvas, kind, (row, column), generator, turn)


def nest(
    canvas: Canvas,
    kind: str,
    outline: tuple[float, float, float],
    count: int,
    allowed: Keep,
    generator: np.random.Generator,
) -> int:
    """A nest of epithelial or tumor cells with its own, slightly basophilic cytoplasm.

    Args:
        canvas: What to draw on.
        kind: A key of ``NUCLEI``.
        outline: Row and column of the center, and the radius.
        count: Nuclei to try for.
        allowed: Where their centers may lie.
        generator: What it is drawn from.

    Returns:
        How many nuclei found room.
    """
    row, column, radius = outline
    rows, columns = coordinates(canvas.size_px)
    distance = np.hypot(rows - row, columns - column)
    distance += 2.0 * smooth_noise(canvas.size_px, 12, generator)
    body = soft_step(radius + 3 - distance, 1.5)
    cytoplasm = 0.62 + 0.13 * fractal_noise(canvas.size_px, 6, generator)
    canvas.eosin += body * (np.maximum(0.3, cytoplasm) - canvas.eosin)
    canvas.hematoxylin += body * (0.08 - canvas.hematoxylin)
    drawn = 0
    for _ in range(12 * count):
        angle, reach = generator.uniform(0, 2 * np.pi), radius * np.sqrt(generator.uniform())
        center = (row + reach * np.sin(angle), column + reach * np.cos(angle))
        if _holds(allowed, *center):
            drawn += draw_nucleus(canvas, kind, center, generator)
        if drawn >= count:
            break
    return drawn


def vacuoles(canvas: Canvas, away_from: Sequence[float], generator: np.random.Generator) -> Keep:
    """Fat or torn tissue: round holes of glass with a thin rim, none on ``away_from``.

    Args:
        canvas: What to cut.
        away_from: Row, column and radius that stay whole.
        generator: What it is drawn from.

    Returns:
        True where tissue remains.
    """
    rows, columns = coordinates(canvas.size_px)
    kept = np.ones((canvas.size_px, canvas.size_px), np.bool_)
    wanted = int(generator.integers(1, 5))
    circles = _separate_circles(canvas, generator, (9, 24), gap=1, tries=40)
    row_kept, column_kept, radius_kept = away_from
    far = [
        (row, column, radius)
        for row, column, radius in circles
        if np.hypot(row - row_kept, column - column_kept) > radius + radius_kept
    ]
    for row, column, radius in far[:wanted]:
        squeezed = generator.uniform(0.85, 1.15)
        distance = np.hypot((rows - row) * squeezed, (columns - column) / squeezed)
        inside = soft_step(radius - distance, 0.8)
        canvas.eosin *= 1 - 0.985 * inside
        canvas.hematoxylin *= 1 - inside
        rim = np.exp(-(((distance - radius - 1) / 1.1) ** 2))
        canvas.eosin += 0.35 * rim * (canvas.eosin < 0.9)
        kept &= inside < 0.5
    return kept


def _separate_circles(
    canvas: Canvas,
    generator: np.random.Generator,
    radii: tuple[float, float],
    gap: float,
    tries: int,
) -> list[tuple[float, float, float]]:
    circles: list[tuple[float, float, float]] = []
    for _ in range(tries):
        row, column = generator.uniform(-8, canvas.size_px + 8, 2)
        radius = generator.uniform(*radii)
        if all(np.hypot(row - y, column - x) > radius + r + gap for y, x, r in circles):
            circles.append((float(row), float(column), float(radius)))
    return circles


def _holds(keep: Keep, row: float, column: float) -> bool:
    size = keep.shape[0]
    return bool(keep[min(max(int(row), 0), size - 1), min(max(int(column), 0), size - 1)])


def _no_pixel(canvas: Canvas) -> Keep:
    return np.zeros((canvas.size_px, canvas.size_px), np.bool_)


def faded(canvas: Canvas, generator: np.random.Generator) -> Floats:
    """Sections are not equally thick: a slow factor on both stains, about 1."""
    return 1 + 0.07 * smooth_noise(canvas.size_px, 48, generator)
