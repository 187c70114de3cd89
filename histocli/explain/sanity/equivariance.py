"""Does a turned tile have a turned map?"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.explain.maps import Choice, Explainer
from histocli.explain.sanity.similarity import rank_correlations
from histocli.explain.views import orientations, oriented, upright


def equivariance(
    explainer: Explainer, tiles: Tensor, maps: NDArray[np.float64], choose: Choice
) -> NDArray[np.float64]:
    """Mean rank correlation between each tile's map and those of its turns and flips, turned back.

    Args:
        explainer: Asked once for each orientation.
        tiles: As ``model.prepare`` gives them, shape ``(N, 3, H, W)``.
        maps: Of the tiles as they lie, shape ``(N, h, w)``.
        choose: Which class to explain.

    Returns:
        Shape ``(N,)``.
    """
    found = []
    for number in orientations(tiles, "d4")[1:]:
        turned = explainer.explain(oriented(tiles, number), choose).grids
        back = upright(torch.from_numpy(turned), number).numpy()
        found.append(rank_correlations(maps, back))
    return np.asarray(np.mean(found, axis=0))
