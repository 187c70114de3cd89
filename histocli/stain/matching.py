"""From a tile's stains to the reference's: one 3x3 matrix on the optical density for each stain."""

from dataclasses import dataclass

from histocli.stain.arrays import Array, namespace_of
from histocli.stain.macenko import concentration_matrix


@dataclass(frozen=True)
class Match:
    """What carries tiles to a reference.

    Attributes:
        by_stain: On the optical density; the optical density of hematoxylin alone, and of eosin alone,
            shape ``(N, 2, 3, 3)``. Their sum is the normalised tile.
        scale: The larger of the two factors on the concentrations, shape ``(N,)``.
    """

    by_stain: Array
    scale: Array


def match_stains(
    stain_matrices: Array, maxima: Array, reference_matrices: Array, reference_maxima: Array
) -> Match:
    """Replace each tile's stains by the reference's, scaled to its maximum concentrations.

    Args:
        stain_matrices: Of the tiles, shape ``(N, 3, 2)``.
        maxima: Of the tiles, shape ``(N, 2)``, positive.
        reference_matrices: Shape ``(N, 3, 2)`` or ``(1, 3, 2)``.
        reference_maxima: Shape ``(N, 2)`` or ``(1, 2)``.
    """
    xp = namespace_of(stain_matrices)
    scale = reference_maxima / maxima
    to_concentrations = concentration_matrix(xp.matrix_transpose(stain_matrices))
    scaled = scale[:, :, None] * to_concentrations
    columns = xp.matrix_transpose(reference_matrices)
    return Match(columns[:, :, :, None] * scaled[:, :, None, :], xp.max(scale, axis=-1))
