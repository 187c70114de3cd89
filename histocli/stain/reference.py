"""The stain that tiles are normalised to: published, or fitted on an image; saved as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from histocli.atomic_files import write_json
from histocli.errors import InputError

Rows = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class StainReference:
    """Stain matrix and maximum concentrations of a target.

    Attributes:
        stain_matrix: Rows red, green, blue; columns hematoxylin, eosin.
        maximum_concentrations: Of hematoxylin and eosin.
        name: Where it comes from.
    """

    stain_matrix: Rows
    maximum_concentrations: tuple[float, float]
    name: str = "fitted"

    @classmethod
    def of(cls, matrix: NDArray[Any], maxima: NDArray[Any], name: str = "fitted") -> Self:
        """From a stain matrix ``(3, 2)`` and two maxima."""
        red, green, blue = ((float(h), float(e)) for h, e in matrix)
        return cls((red, green, blue), (float(maxima[0]), float(maxima[1])), name)

    def save(self, path: Path) -> None:
        """Write the reference as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a reference that ``save`` wrote.

        Raises:
            InputError: If the file is no reference.
        """
        try:
            content = json.loads(path.read_text())
            red, green, blue = ((float(h), float(e)) for h, e in content["stain_matrix"])
            hematoxylin, eosin = (float(value) for value in content["maximum_concentrations"])
            name = str(content.get("name", path.stem))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a stain reference ({error})") from error
        return cls((red, green, blue), (hematoxylin, eosin), name)


PUBLISHED_REFERENCE = StainReference(
    stain_matrix=((0.5626, 0.2159), (0.7201, 0.8012), (0.4062, 0.5581)),
    maximum_concentrations=(1.9705, 1.0308),
    name="published",
)
"""Target of mitkovetta/staining-normalization, which torchstain, MONAI and cuCIM share."""
