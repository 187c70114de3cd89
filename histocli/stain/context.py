"""Whose estimate a tile is normalised by: its own, its group's, the data set's, or nobody's."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from histocli.errors import SettingsError
from histocli.stain.arrays import Array, device_of, namespace_of
from histocli.stain.matching import match_stains
from histocli.stain.status import Guards


class EstimateSource(IntEnum):
    """Where the stains that a tile was normalised by come from."""

    TILE = 0
    GROUP = 1
    DATASET = 2
    IDENTITY = 3

    @property
    def label(self) -> str:
        """The name written to tables, such as ``tile`` and ``identity``."""
        return self.name.lower()


CHAIN_LINKS = ("tile", "group", "dataset")


def parse_chain(text: str) -> tuple[EstimateSource, ...]:
    """Read a chain such as ``tile,group,dataset``; the identity always ends it.

    Raises:
        SettingsError: If a link is unknown or stands twice.
    """
    links = [link.strip() for link in text.split(",")]
    if not set(links) <= set(CHAIN_LINKS) or len(set(links)) != len(links):
        raise SettingsError(
            f"context {text!r} is no chain; name each of {', '.join(CHAIN_LINKS)} at most once, "
            "the first to be tried first, for example tile,group,dataset"
        )
    return tuple(EstimateSource[link.upper()] for link in links)


@dataclass(frozen=True)
class Candidate:
    """Stains that tiles may be normalised by.

    Attributes:
        source: Whose they are.
        stain_matrices: Shape ``(N, 3, 2)``; NaN where there are none.
        maximum_concentrations: Shape ``(N, 2)``.
    """

    source: EstimateSource
    stain_matrices: Array
    maximum_concentrations: Array


@dataclass(frozen=True)
class Choice:
    """What became of the candidates.

    Attributes:
        by_stain: On the optical density, shape ``(N, 2, 3, 3)``; where no candidate served, the
            reference's own stains, which separate but do not normalise.
        stain_matrices: Of the candidate used; NaN where none served.
        maximum_concentrations: Of the candidate used; NaN where none served.
        used: ``EstimateSource`` values, shape ``(N,)``.
    """

    by_stain: Array
    stain_matrices: Array
    maximum_concentrations: Array
    used: Array


def choose_estimates(
    candidates: Sequence[Candidate],
    allowed: Array,
    reference_matrices: Array,
    reference_maxima: Array,
    guards: Guards,
) -> Choice:
    """Take the first usable candidate of each tile.

    Args:
        candidates: The chain, the first to be tried first.
        allowed: False for tiles that must stay as they are, shape ``(N,)``.
        reference_matrices: Shape ``(N, 3, 2)`` or ``(1, 3, 2)``.
        reference_maxima: Shape ``(N, 2)`` or ``(1, 2)``.
        guards: A larger scale than theirs is not used.
    """
    xp = namespace_of(allowed, reference_maxima)
    device, count = device_of(allowed), allowed.shape[0]
    itself = match_stains(
        reference_matrices, reference_maxima, reference_matrices, reference_maxima
    )
    by_stain = xp.broadcast_to(itself.by_stain, (count, 2, 3, 3))
    # From the reference to itself: the tile stays as it is.
    nothing = xp.zeros((count, 1), dtype=reference_maxima.dtype, device=device)
    stains, maxima = reference_matrices + nothing[:, :, None], reference_maxima + nothing
    used = xp.full((count,), int(EstimateSource.IDENTITY), dtype=xp.int64, device=device)
    for candidate in candidates:
        given, top = candidate.stain_matrices, candidate.maximum_concentrations
        there = xp.all(xp.isfinite(given), axis=(-2, -1)) & xp.all(top > 0, axis=-1)
        # Replaced before the division: what is not there has no gradient either.
        safe = xp.where(there[:, None, None], given, reference_matrices)
        match = match_stains(
            safe, xp.where(there[:, None], top, 1.0), reference_matrices, reference_maxima
        )
        serves = there & allowed & (match.scale <= guards.concentration_scale)
        serves = serves & (used == int(EstimateSource.IDENTITY))
        by_stain = xp.where(serves[:, None, None, None], match.by_stain, by_stain)
        stains = xp.where(serves[:, None, None], given, stains)
        maxima = xp.where(serves[:, None], top, maxima)
        used = xp.where(serves, int(candidate.source), used)
    return Choice(by_stain, stains, maxima, used)
