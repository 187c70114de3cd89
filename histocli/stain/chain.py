"""Normalise pixels by the first usable estimate of each tile."""

from collections.abc import Sequence

import numpy as np

from histocli.stain.arrays import Array, device_of, namespace_of
from histocli.stain.batches import StainImage
from histocli.stain.context import Candidate, Choice, EstimateSource, choose_estimates
from histocli.stain.macenko import StainEstimate
from histocli.stain.pixels import TransformablePixels
from histocli.stain.reference import StainReference
from histocli.stain.status import Guards, StainStatus, worse_of


def own_candidate(estimate: StainEstimate) -> Candidate:
    """The tiles' own estimates, as far as they may be used."""
    xp = namespace_of(estimate.stain_matrices)
    matrices = xp.where(estimate.usable[:, None, None], estimate.stain_matrices, np.nan)
    return Candidate(EstimateSource.TILE, matrices, estimate.maximum_concentrations)


def candidate_of(
    source: EstimateSource, stains: Sequence[StainReference | None], like: StainEstimate
) -> Candidate:
    """Given stains as arrays beside an estimate; NaN where there is none."""
    nothing = StainReference(((np.nan, np.nan),) * 3, (np.nan, np.nan))
    known = [stain or nothing for stain in stains]
    return Candidate(source, *as_arrays(known, like.maximum_concentrations))


def apply_chain(
    pixels: TransformablePixels,
    estimate: StainEstimate,
    candidates: Sequence[Candidate],
    targets: Sequence[StainReference],
    guards: Guards,
    image: StainImage = "normalized",
) -> tuple[Array, Choice, Array]:
    """Normalise pixels by the first usable candidate of each tile.

    Args:
        pixels: Of the tiles.
        estimate: Their own.
        candidates: The chain, the first to be tried first.
        targets: What to normalise to: one for all, or one for each.
        guards: When not to trust a candidate, and when to say so.
        image: What to make.

    Returns:
        Grey levels ``(N, 3, P)``, what was chosen, and the status of each tile.
    """
    xp = namespace_of(estimate.maximum_concentrations)
    own = estimate.maximum_concentrations
    matrices, maxima = as_arrays(targets, own)
    glass = estimate.status_codes == int(StainStatus.BLANK)
    choice = choose_estimates(candidates, ~glass, matrices, maxima, guards)
    keep = choice.used == int(EstimateSource.IDENTITY)
    if image == "normalized":
        shown = choice.by_stain[:, 0] + choice.by_stain[:, 1]
    else:
        shown = choice.by_stain[:, 0 if image == "hematoxylin" else 1]
        keep = glass
    light, clipped = pixels.transform(shown, keep)
    top = xp.where(estimate.usable[:, None], own, xp.ones_like(own))
    scale = xp.max(maxima / top, axis=-1)
    stretched = estimate.usable & (scale > guards.doubtful_scale)
    status = worse_of(estimate.status_codes, stretched, StainStatus.ILL_CONDITIONED)
    return light, choice, worse_of(status, clipped > guards.clipped_fraction, StainStatus.CLIPPED)


def as_arrays(stains: Sequence[StainReference], like: Array) -> tuple[Array, Array]:
    """Matrices ``(N, 3, 2)`` and maxima ``(N, 2)`` in the library and on the device of an array."""
    xp = namespace_of(like)
    matrices = np.array([stain.stain_matrix for stain in stains], np.float64).reshape(-1, 3, 2)
    maxima = np.array([stain.maximum_concentrations for stain in stains], np.float64)
    return tuple(
        xp.asarray(values, dtype=like.dtype, device=device_of(like))
        for values in (matrices, maxima.reshape(-1, 2))
    )
