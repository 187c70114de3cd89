"""From measures and thresholds to a verdict with its reasons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Measures = Mapping[str, float]
UNREADABLE = "unreadable"
DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Thresholds:
    """Where a tile fails. The defaults reject what shows no tissue to learn from, and little else.

    They were set by looking at what lies on each side, on 9,000 tiles of PatchCamelyon (P, 1 micron
    per pixel), 2,500 of LC25000 (L) and 100 of Kather 2016 (K, magnified 1.5 times).

    Attributes:
        minimum_tissue_fraction: Less is ``background``. Fat with its thin septa starts at 0.02 (P)
            and 0.04 (K); below lie glass, dust and single torn cells.
        minimum_sharpness: Less is ``blur``. Sound tissue has 0.5 to 2.5 (P), 0.36 to 1.4 (L), 0.25
            to 0.8 (K); a Gaussian blur of 3 px leaves 0.07 to 0.2 everywhere, with or without noise.
            It depends on the resolution: on P 0.4 also finds slight defocus, but would reject half
            of K.
        minimum_brightness: Less is ``dark``. The darkest sound tiles have 0.16 (K) and 0.18 (P),
            crowded lymphocytes; tiles beyond the slide's edge have 0.10 to 0.15.
        minimum_density_saturation: Less is ``unsaturated``: the slide's edge, shadows and dust have
            0.03 to 0.13, pale but sound tissue 0.19 and more (P), 0.52 (L).
        maximum_black_fraction: More is ``black_edge``. Ink and pigment cover up to 0.04 of otherwise
            sound tiles (P), the darkest nuclei 0.01.
    """

    minimum_tissue_fraction: float = 0.02
    minimum_sharpness: float = 0.24
    minimum_brightness: float = 0.14
    minimum_density_saturation: float = 0.15
    maximum_black_fraction: float = 0.10


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one tile.

    Attributes:
        verdict: ``pass``, or ``fail`` with at least one reason.
        reasons: Keys of ``REASONS``, ``unreadable``, or ``duplicate``.
    """

    verdict: Literal["pass", "fail"]
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, reasons: tuple[str, ...]) -> "Verdict":
        """Pass without reasons, fail with some."""
        return cls("fail" if reasons else "pass", reasons)

    def and_duplicate(self) -> "Verdict":
        """The same tile, seen to repeat another."""
        return Verdict.of((*self.reasons, DUPLICATE))


def is_background(measures: Measures, thresholds: Thresholds) -> bool:
    """Nothing but glass; what is black is not glass and has a reason of its own."""
    covered = measures["tissue_fraction"] + measures["black_fraction"]
    return covered < thresholds.minimum_tissue_fraction


def is_blurred(measures: Measures, thresholds: Thresholds) -> bool:
    """Tissue out of focus."""
    return _has_tissue(measures, thresholds) and (
        measures["sharpness"] < thresholds.minimum_sharpness
    )


def is_dark(measures: Measures, thresholds: Thresholds) -> bool:
    """Hardly any light: beyond the slide, a fold, a wall of ink."""
    return measures["brightness"] < thresholds.minimum_brightness


def is_unsaturated(measures: Measures, thresholds: Thresholds) -> bool:
    """What absorbs light absorbs all colors alike: no stain."""
    return _has_tissue(measures, thresholds) and (
        measures["density_saturation"] < thresholds.minimum_density_saturation
    )


def has_black_edge(measures: Measures, thresholds: Thresholds) -> bool:
    """A part of the tile was never scanned."""
    return measures["black_fraction"] > thresholds.maximum_black_fraction


# In the order in which they are written; the contact sheet files a tile under its first.
REASONS: Mapping[str, Callable[[Measures, Thresholds], bool]] = {
    "background": is_background,
    "black_edge": has_black_edge,
    "dark": is_dark,
    "unsaturated": is_unsaturated,
    "blur": is_blurred,
}
# The measure that says most about a reason, for captions.
MEASURE_OF_REASON: Mapping[str, str] = {
    "background": "tissue_fraction",
    "black_edge": "black_fraction",
    "dark": "brightness",
    "unsaturated": "density_saturation",
    "blur": "sharpness",
}


def judge(measures: Measures | None, thresholds: Thresholds) -> Verdict:
    """Judge one tile.

    Args:
        measures: By name, NaN where undefined (which no threshold condemns); None if unreadable.
        thresholds: Where it fails.
    """
    if measures is None:
        return Verdict.of((UNREADABLE,))
    return Verdict.of(
        tuple(reason for reason, applies in REASONS.items() if applies(measures, thresholds))
    )


def _has_tissue(measures: Measures, thresholds: Thresholds) -> bool:
    """A handful of pixels tells nothing of focus or stain."""
    return measures["tissue_fraction"] >= thresholds.minimum_tissue_fraction
