"""The stain that tiles are normalised to: published, or fitted on an image; saved as JSON."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from histocli.atomic_files import parse_json, write_json
from histocli.errors import InputError

# Of an angle of 2 degrees: closer stains are one.
LARGEST_COSINE = 0.9994

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
    def of(cls, matrix: ArrayLike, maxima: ArrayLike, name: str = "fitted") -> Self:
        """From a stain matrix ``(3, 2)`` and two maxima; columns are brought to unit length.

        Raises:
            ValueError: If they are no two stains.
        """
        stains, tops = np.asarray(matrix, np.float64), np.asarray(maxima, np.float64)
        if stains.shape != (3, 2) or tops.shape != (2,):
            raise ValueError("needs a stain matrix of 3 rows and 2 columns, and 2 concentrations")
        lengths = np.linalg.norm(stains, axis=0)
        if not (np.isfinite(stains).all() and (lengths > 0).all()):
            raise ValueError("its stains are not finite numbers other than zero")
        if not (np.isfinite(tops).all() and (tops > 0).all()):
            raise ValueError("its maximum concentrations are not positive")
        stains, tops = stains / lengths, tops * lengths
        if abs(stains[:, 0] @ stains[:, 1]) > LARGEST_COSINE:
            raise ValueError("its two stains are one")
        red, green, blue = ((float(h), float(e)) for h, e in stains)
        return cls((red, green, blue), (float(tops[0]), float(tops[1])), name)

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
            content = parse_json(path.read_text())
            name = str(content.get("name", path.stem))
            return cls.of(content["stain_matrix"], content["maximum_concentrations"], name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: not a stain reference ({error})") from error


PUBLISHED_REFERENCE = StainReference(
    stain_matrix=((0.5626, 0.2159), (0.7201, 0.8012), (0.4062, 0.5581)),
    maximum_concentrations=(1.9705, 1.0308),
    name="published",
)
"""Target of mitkovetta/staining-normalization, which torchstain, MONAI and cuCIM share."""
