"""The loss: cross-entropy with smoothed labels, class weights and a focus on what is hard."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

NO_LABEL = -1


@dataclass(frozen=True)
class LossPlan:
    """Constants of the loss.

    Attributes:
        class_weights: Shape ``(K,)``; None for equal ones.
        label_smoothing: Share of each label that is given to all classes alike.
        focal_gamma: 0 is cross-entropy; above, tiles that are classified well count less.
    """

    class_weights: Tensor | None = None
    label_smoothing: float = 0.0
    focal_gamma: float = 0.0


def classification_loss(logits: Tensor, targets: Tensor, plan: LossPlan) -> Tensor:
    """Mean loss of a batch.

    With ``p`` the softmax of the logits, ``q`` the smoothed label and ``w`` the class weights:
    ``sum(w_k q_k (1 - p_k)^gamma (-log p_k))`` a tile, averaged over the tiles. That of a tile with shares
    of several classes is the mean of theirs by these shares.

    Torch divides by the weights of the tiles at hand instead. Weights are 1 on average over a data set,
    so in the long run it is the same; divided by the number, the loss of a batch is the mean of those of
    its parts, however the classes fell: accumulation and several processes learn what one learns at once.

    Args:
        logits: Shape ``(N, K)``.
        targets: Class indices ``(N,)``, ``NO_LABEL`` where unknown (left out), or shares of the classes
            ``(N, K)``.
        plan: The constants.

    Source:
        Lin et al., ICCV 2017 (focal loss); Szegedy et al., CVPR 2016 (label smoothing).
    """
    if plan.focal_gamma == 0 and plan.class_weights is None:
        return functional.cross_entropy(
            logits,
            targets,
            label_smoothing=plan.label_smoothing,
            # Shares of the classes have no index to ignore: torch wants a value that is none of theirs.
            ignore_index=NO_LABEL if targets.ndim == 1 else -100,
        )
    if targets.ndim == 1:
        known = targets != NO_LABEL
        logits, targets = logits[known], targets[known]
        targets = functional.one_hot(targets, logits.shape[1]).to(logits.dtype)
    weights = logits.new_ones(logits.shape[1]) if plan.class_weights is None else plan.class_weights
    smoothing = plan.label_smoothing
    shares = (targets * (1 - smoothing) + smoothing / logits.shape[1]) * weights
    log_probabilities = logits.log_softmax(dim=1)
    hardness = (1 - log_probabilities.exp()) ** plan.focal_gamma
    losses = -(shares * hardness * log_probabilities).sum(dim=1)
    return losses.mean()
