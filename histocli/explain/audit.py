"""``histo explain --audit``: are the maps faithful to the model, and sane?"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from histocli.explain.audit_tiles import AuditTiles
from histocli.explain.capture import held_still
from histocli.explain.faithfulness.measure import measure_faithfulness
from histocli.explain.faithfulness.probe import Probe
from histocli.explain.maps import Explainer
from histocli.explain.sanity.equivariance import equivariance
from histocli.explain.sanity.randomization import randomized
from histocli.explain.sanity.similarity import rank_correlations
from histocli.explain.scores.clustered_mean import clustered_means

FloatArray = NDArray[np.float64]
# Called with the name of each part of the work as it begins.
Say = Callable[[str], None]


def audit_explanation(
    explainer: Explainer,
    tiles: AuditTiles,
    *,
    seed: int = 0,
    shuffled: Explainer | None = None,
    say: Say | None = None,
) -> dict[str, Any]:
    """Test maps of some tiles: faithfulness, weight randomisation, equivariance, a shuffled model.

    The model is asked once for each tile, without turns and flips: an average over them would hide what
    the tests look for.

    Args:
        explainer: The model and the method.
        tiles: What to test on.
        seed: Of all that is random.
        shuffled: A model trained on shuffled labels, with the same classes, and the same method.
        say: Told what is done.

    Returns:
        ``tiles``, ``faithfulness`` and ``sanity`` as ``attention.json`` has them.
    """
    say = say or (lambda _: None)
    with held_still(explainer.model):
        prepared = tiles.prepared(explainer)
        maps = tiles.maps(explainer, prepared)
        # A map that is empty without turns and flips has no order of pixels.
        rows = np.flatnonzero(maps.any(axis=(1, 2)))
        tiles, maps = tiles.subset(rows), maps[rows]
        prepared = prepared[torch.from_numpy(rows).to(prepared.device)]
        say("faithfulness: deletion, insertion, ROAD, sensitivity-n")
        explained = torch.from_numpy(tiles.explained).to(prepared.device)
        probe = Probe(explainer.model, prepared, explained, tiles.groups, tiles.batch_size)
        faithfulness = measure_faithfulness(probe, maps, explainer.method, seed)
        say("sanity: random weights")
        sanity: dict[str, Any] = {
            "other_tiles": _estimate(_others(maps), tiles.groups, seed),
            "weight_randomization": list(_cascade(explainer, tiles, prepared, maps, seed)),
        }
        say("sanity: turns and flips")
        turned = _equivariance(explainer, tiles, prepared, maps)
        sanity["equivariance"] = _estimate(turned, tiles.groups, seed)
    if shuffled is not None:
        say("sanity: the model of shuffled labels")
        with held_still(shuffled.model):
            theirs = tiles.maps(shuffled, tiles.prepared(shuffled))
        alike = rank_correlations(maps, theirs)
        sanity["shuffled_labels"] = _estimate(alike, tiles.groups, seed)
    return {"tiles": len(maps), "faithfulness": faithfulness, "sanity": sanity}


def _cascade(
    explainer: Explainer,
    tiles: AuditTiles,
    prepared: torch.Tensor,
    maps: FloatArray,
    seed: int,
) -> Any:
    """Likeness to the maps of ever more randomised models."""
    layer = None if explainer.layer is None else explainer.layer.name
    for stage in randomized(explainer.model, prepared, seed, tiles.batch_size):
        changed = Explainer.of(stage.model, explainer.method, layer)
        alike = rank_correlations(maps, tiles.maps(changed, prepared))
        yield {
            "layers": stage.share,
            "from": stage.first,
            "similarity": _estimate(alike, tiles.groups, seed),
        }


def _equivariance(
    explainer: Explainer, tiles: AuditTiles, prepared: torch.Tensor, maps: FloatArray
) -> FloatArray:
    found = []
    for start in range(0, len(maps), tiles.batch_size):
        part = slice(start, start + tiles.batch_size)
        found.append(equivariance(explainer, prepared[part], maps[part], tiles.choose(part)))
    return np.concatenate(found)


def _others(maps: FloatArray) -> FloatArray:
    """Likeness of each map to the next tile's: what maps of one method have in common anyway."""
    return rank_correlations(maps, np.roll(maps, 1, axis=0))


def _estimate(values: FloatArray, groups: Sequence[str | None], seed: int) -> dict[str, Any]:
    (estimate,) = clustered_means([values], groups, seed)
    return estimate
