"""Cascading randomisation: a map that does not notice new weights does not show what was learned."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from histocli.models.classifier import TileClassifier

# Parts of the layers with weights that are randomised, counted from the output; before them, the last one.
SHARES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Stage:
    """A model whose last layers have lost what they learned.

    Attributes:
        share: Part of the layers with weights.
        first: Dotted name of the earliest of them.
        model: In evaluation mode.
    """

    share: float
    first: str
    model: TileClassifier


def randomized(model: TileClassifier, tiles: Tensor, seed: int, batch_size: int) -> Iterator[Stage]:
    """Randomise the weights of a copy step by step, from the output to the input.

    The values of each tensor change places: they keep their size, and lose their meaning. The statistics
    of batch normalisation are then taken anew, as they would be in training; else a deep network would
    give the same extreme values everywhere, and any map of it would differ for that reason alone.

    Args:
        model: Stays as it is.
        tiles: As ``model.prepare`` gives them: what statistics are taken of.
        seed: Of the new places.
        batch_size: Tiles per pass.

    Source:
        Adebayo et al., NeurIPS 2018, cascading randomisation. Differs in: values are permuted, not drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    copy = deepcopy(model)
    layers = [
        (name, module)
        for name, module in copy.network.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    done = 0
    for count in _counts(len(layers)):
        for _, module in layers[::-1][done:count]:
            _permute(module, generator)
        done = count
        _renew_statistics(copy, tiles, batch_size)
        yield Stage(count / len(layers), layers[-count][0], copy)


def _counts(layers: int) -> list[int]:
    """How many layers are randomised at each stage: the last one, then the parts of all."""
    return sorted({1, *(max(1, round(share * layers)) for share in SHARES)})


def _permute(module: nn.Module, generator: torch.Generator) -> None:
    with torch.no_grad():
        for weights in module.parameters(recurse=False):
            order = torch.randperm(weights.numel(), generator=generator).to(weights.device)
            weights.copy_(weights.flatten()[order].reshape(weights.shape))


def _renew_statistics(model: TileClassifier, tiles: Tensor, batch_size: int) -> None:
    batch_norms = [
        module for module in model.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    ]
    if not batch_norms:
        return
    for module in batch_norms:
        module.reset_running_stats()
        module.momentum = None
        module.train()
    with torch.no_grad():
        for start in range(0, len(tiles), batch_size):
            model.classify(tiles[start : start + batch_size])
    model.eval()
