"""Named conventions of Macenko's method: the constants that make one package's output."""

from collections.abc import Mapping
from dataclasses import dataclass

from histocli.errors import SettingsError


@dataclass(frozen=True)
class Convention:
    """Constants of Macenko's method.

    Attributes:
        transmitted_light: Grey level of unstained glass.
        offset: Added to the grey level before the logarithm.
        tissue_threshold: A pixel counts as tissue where every channel's natural-log optical density
            reaches this.
        angle_percentile: Percentile of the angle that gives one stain; 100 minus it gives the other.
        concentration_percentile: Percentile taken as a stain's maximum concentration.

    Source:
        facts of the implementations compared in docs/stain.md.
    """

    transmitted_light: float = 240.0
    offset: float = 1.0
    tissue_threshold: float = 0.15
    angle_percentile: float = 1.0
    concentration_percentile: float = 99.0


CONVENTIONS: Mapping[str, Convention] = {
    # torchstain and its ancestors (mitkovetta/staining-normalization, schaugf/HEnorm_python).
    "torchstain": Convention(),
}


def find_convention(name: str) -> Convention:
    """Look a convention up by name.

    Raises:
        SettingsError: Listing the known ones.
    """
    if name not in CONVENTIONS:
        raise SettingsError(
            f"unknown stain convention {name!r}; choose one of {', '.join(CONVENTIONS)}"
        )
    return CONVENTIONS[name]
