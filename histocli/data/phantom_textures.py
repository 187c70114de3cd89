"""Smooth random fields from which the phantom's cytoplasm, fibres and vacuoles are made."""

import numpy as np
from PIL import Image

from histocli.data.phantom_optics import Floats


def smooth_noise(size_px: int, cell_px: float, generator: np.random.Generator) -> Floats:
    """A smooth field of about unit variance, shape ``(size_px, size_px)``.

    Args:
        size_px: Side of the square.
        cell_px: Size of its blobs.
        generator: What it is drawn from.
    """
    cells = max(2, round(size_px / cell_px))
    grid = generator.standard_normal((cells + 2, cells + 2)).astype(np.float32)
    # One cell of margin on each side keeps the resampling's edge out of the tile.
    box = (1.0, 1.0, cells + 1.0, cells + 1.0)
    field = Image.fromarray(grid).resize((size_px, size_px), Image.Resampling.BICUBIC, box)
    # Bicubic interpolation of unit noise has a standard deviation of about 0.75.
    return np.asarray(field, np.float64) / 0.75


def fractal_noise(
    size_px: int, cell_px: float, generator: np.random.Generator, octaves: int = 3
) -> Floats:
    """Blobs with finer blobs on them, each octave half as large and 0.6 times as strong."""
    weights = 0.6 ** np.arange(octaves)
    fields = [
        weight * smooth_noise(size_px, max(1.5, cell_px / 2**octave), generator)
        for octave, weight in enumerate(weights)
    ]
    total: Floats = np.sum(fields, axis=0) / np.sqrt(np.sum(weights**2))
    return total


def fibers(size_px: int, angle: float, generator: np.random.Generator) -> Floats:
    """Wavy collagen bundles along ``angle`` (radians), values 0 to 1, shape ``(S, S)``."""
    rows, columns = coordinates(size_px)
    across = columns * np.sin(angle) - rows * np.cos(angle)
    wave = smooth_noise(size_px, 40, generator)
    strands = np.zeros((size_px, size_px))
    for period, weight in ((9.0, 0.6), (4.0, 0.4)):
        phase = 2 * np.pi * across / (period * generator.uniform(0.8, 1.25))
        phase += 2.2 * wave * 9.0 / period + 0.8 * smooth_noise(size_px, 14, generator)
        strands += weight * (0.5 + 0.5 * np.sin(phase))
    frayed = 0.75 + 0.25 * np.tanh(smooth_noise(size_px, 10, generator))
    return strands * frayed


def coordinates(size_px: int) -> tuple[Floats, Floats]:
    """Row and column of each pixel, two arrays that broadcast to ``(S, S)``."""
    positions = np.arange(size_px, dtype=np.float64)
    return positions[:, None], positions[None, :]


def soft_step(values: Floats, width: float) -> Floats:
    """From 0 to 1 where ``values`` cross zero, over about ``width`` on each side."""
    return 0.5 * (1 + np.tanh(values / width))
