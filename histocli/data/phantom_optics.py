"""The phantom's physics: light through two stains, by Beer-Lambert, onto a scanner's sensor."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Row: TypeAlias = tuple[float, float]
Rows: TypeAlias = tuple[Row, Row, Row]

# Between slides of one laboratory: about 1 degree of stain direction, 8 % of stain strength.
SLIDE_DIRECTION_SD = 0.01
SLIDE_STRENGTH_SD = 0.08


@dataclass(frozen=True)
class Scanner:
    """A laboratory's stains and its scanner's light.

    Attributes:
        name: Of the scanner.
        stain_matrix: Rows red, green, blue; columns hematoxylin, eosin, unit length, natural-log
            optical density per unit of concentration.
        strength: Factor on the tissue's hematoxylin and eosin: how long the slide lay in each.
        transmitted_light: Grey level of glass, red, green, blue.
        noise: Standard deviation of the sensor, grey levels.
    """

    name: str
    stain_matrix: Rows
    strength: tuple[float, float]
    transmitted_light: tuple[float, float, float] = (240.0, 240.0, 240.0)
    noise: float = 0.7

    def transmit(self, concentrations: Floats) -> Floats:
        """Noise-free grey levels ``light * exp(-(stain_matrix @ concentrations))``.

        Args:
            concentrations: Hematoxylin and eosin of each pixel, shape ``(H, W, 2)``.

        Returns:
            Shape ``(H, W, 3)``, not rounded.
        """
        matrix = np.array(self.stain_matrix)
        # Written out: a product by BLAS may differ in its last bit between machines.
        density = concentrations[:, :, :1] * matrix[:, 0] + concentrations[:, :, 1:] * matrix[:, 1]
        light: Floats = np.array(self.transmitted_light) * np.exp(-density)
        return light

    def expose(self, concentrations: Floats, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Grey levels as the sensor gives them: with noise, rounded to uint8."""
        light = self.transmit(concentrations)
        light += self.noise * generator.standard_normal(light.shape)
        return np.clip(np.round(light), 0, 255).astype(np.uint8)

    def for_slide(self, generator: np.random.Generator) -> Self:
        """The same laboratory on another day: directions and strengths slightly off."""
        matrix = np.array(self.stain_matrix)
        matrix = matrix + SLIDE_DIRECTION_SD * generator.standard_normal((3, 2))
        factor = np.exp(SLIDE_STRENGTH_SD * generator.standard_normal(2))
        strength = (self.strength[0] * float(factor[0]), self.strength[1] * float(factor[1]))
        return replace(self, stain_matrix=unit_columns(matrix), strength=strength)


def unit_columns(matrix: Floats) -> Rows:
    """Scale both columns of a ``(3, 2)`` matrix to unit length."""
    red, green, blue = ((float(h), float(e)) for h, e in matrix / np.linalg.norm(matrix, axis=0))
    return (red, green, blue)


PHANTOM_SCANNERS: Mapping[str, Scanner] = {
    # Reddish brown, strongly stained, neutral light: the commoner look of PatchCamelyon.
    "alpha": Scanner(
        "alpha",
        unit_columns(np.array([[0.56, 0.26], [0.71, 0.80], [0.43, 0.54]])),
        strength=(1.10, 1.00),
    ),
    # Blue to magenta on slightly blue glass: the other one.
    "beta": Scanner(
        "beta",
        unit_columns(np.array([[0.73, 0.36], [0.65, 0.87], [0.22, 0.34]])),
        strength=(1.00, 1.00),
        transmitted_light=(236.0, 236.0, 241.0),
    ),
    # A third laboratory, which write_phantom uses only when asked: pale, pink, on yellowish glass.
    "gamma": Scanner(
        "gamma",
        unit_columns(np.array([[0.66, 0.29], [0.69, 0.91], [0.30, 0.31]])),
        strength=(0.80, 0.80),
        transmitted_light=(241.0, 240.0, 235.0),
    ),
}
