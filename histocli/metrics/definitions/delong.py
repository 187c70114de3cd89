"""How much each tile moves the AUROC: DeLong's structural components, from mid-ranks in float64."""

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray, ratio
from histocli.metrics.definitions.ranking import Ranking


def delong_influence(ranking: Ranking, tiles: int) -> FloatArray:
    """Contributions of the tiles to the AUROC, whose squares add up to DeLong's variance.

    With m tiles of the class and n others, a tile of the class contributes
    ``(V - AUROC) / sqrt(m (m - 1))`` where V is the share of the others that it beats, ties a half;
    another tile likewise with n and the share that beats it. Products of the contributions to two
    AUROCs of the same tiles add up to their covariance; contributions to a mean of AUROCs are means.

    Args:
        ranking: The scores.
        tiles: Number of tiles N.

    Returns:
        Shape ``(N,)``; zero for tiles that are not ranked; NaN with fewer than two tiles on a side.

    Source:
        DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845, computed by mid-ranks as in
        Sun and Xu, IEEE Signal Processing Letters 21 (2014) 1389-1393.
    """
    positives, negatives = ranking.counts(None)
    m, n = positives.sum(), negatives.sum()
    beaten = ratio(np.cumsum(negatives) - negatives / 2, n)
    beating = ratio(m - np.cumsum(positives) + positives / 2, m)
    area = ratio(np.einsum("d,d->", positives, beaten), m)
    component = np.where(
        ranking.is_positive,
        ratio(np.repeat(beaten, ranking.sizes) - area, np.sqrt(m * (m - 1))),
        ratio(np.repeat(beating, ranking.sizes) - area, np.sqrt(n * (n - 1))),
    )
    influence = np.zeros(tiles)
    influence[ranking.tiles] = component
    return influence
