"""The colors that Reinhard's method brings tiles to: published, or fitted on an image; saved as JSON."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from histocli.atomic_files import parse_json, write_json
from histocli.errors import InputError

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class ColorReference:
    """Means and standard deviations of a target in CIE L*a*b*.

    Attributes:
        means: Of L*, a* and b*.
        standard_deviations: Of L*, a* and b*.
        name: Where it comes from.
    """

    means: Triple
    standard_deviations: Triple
    name: str = "fitted"

    def save(self, path: Path) -> None:
        """Write the reference as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a reference that ``save`` wrote.

        Raises:
            InputError: If the file is no color reference.
        """
        try:
            content = parse_json(path.read_text())
            means = _triple(content["means"], -math.inf)
            deviations = _triple(content["standard_deviations"], 0)
            name = str(content.get("name", path.stem))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: not a color reference ({error})") from error
        return cls(means, deviations, name)


def _triple(values: list[float], above: float) -> Triple:
    lightness, red_green, blue_yellow = (float(value) for value in values)
    triple = (lightness, red_green, blue_yellow)
    if not all(above < value < math.inf for value in triple):
        raise ValueError(f"{list(triple)} are not finite numbers above {above}")
    return triple


PUBLISHED_COLOR_REFERENCE = ColorReference(
    means=(58.12343, 26.483482, -12.701005),
    standard_deviations=(14.675022, 7.5744166, 5.226378),
    name="published",
)
"""Average of about 50,000 H&E tiles from about 450 slides of The Cancer Genome Atlas: slideflow's fit
``reinhard_fast`` v3 (``slideflow/norm/utils.py``), in the same L*a*b* as here."""
