"""All measures of faithfulness of some maps, and of the maps that they are compared with."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from histocli.explain.faithfulness.baseline_maps import BASELINES
from histocli.explain.faithfulness.comparison import compare
from histocli.explain.faithfulness.curves import (
    STEPS,
    area,
    deletion_curves,
    end_points,
    insertion_curves,
)
from histocli.explain.faithfulness.ordering import ranks, without_detail
from histocli.explain.faithfulness.probe import Probe
from histocli.explain.faithfulness.road import road_scores
from histocli.explain.faithfulness.sensitivity import sensitivity_scores
from histocli.explain.scores.enlarging import enlarge

FloatArray = NDArray[np.float64]


def measure_faithfulness(
    probe: Probe, grids: NDArray[np.float64], method: str, seed: int
) -> dict[str, Any]:
    """Deletion, insertion, ROAD and sensitivity-n of some maps, against random, Sobel and center maps.

    Args:
        probe: The tiles.
        grids: Their maps, shape ``(N, h, w)``, none of them empty.
        method: Name of the maps.
        seed: Of all that is random.

    Returns:
        ``tiles``, ``measures`` as ``compare`` gives them, and ``curves``: the mean probability by share
        of pixels changed, by measure and map.
    """
    generator = np.random.default_rng(seed)
    grid = (grids.shape[1], grids.shape[2])
    maps = {method: enlarge(grids, *probe.size_px)}
    maps |= {name: draw(probe.tiles, grid, generator) for name, draw in BASELINES.items()}
    blurred = without_detail(probe.tiles)
    ends = end_points(probe, blurred)
    scores: dict[str, dict[str, FloatArray]] = {
        measure: {} for measure in ("deletion", "insertion", "road", "sensitivity_n")
    }
    curves: dict[str, dict[str, list[float]]] = {"deletion": {}, "insertion": {}}
    for name, values in maps.items():
        places = ranks(values, generator)
        deleted = deletion_curves(probe, places, blurred, ends)
        inserted = insertion_curves(probe, places, blurred, ends)
        scores["deletion"][name], scores["insertion"][name] = area(deleted), area(inserted)
        curves["deletion"][name] = deleted.mean(axis=0).tolist()
        curves["insertion"][name] = inserted.mean(axis=0).tolist()
        # The same noise for every map.
        noise = torch.Generator().manual_seed(seed)
        scores["road"][name] = road_scores(probe, places, noise)
    scores["sensitivity_n"] = sensitivity_scores(probe, maps, blurred, generator)
    return {
        "tiles": len(grids),
        "measures": compare(scores, method, probe.groups, seed),
        "curves": {"shares": [step / STEPS for step in range(STEPS + 1)], **curves},
    }
