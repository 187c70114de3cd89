"""Layers that keep the weights they came with."""

from collections.abc import Sequence

from torch import nn

from histocli.errors import SettingsError
from histocli.models.layer_depths import layer_depths


def keep_first_stages(network: nn.Module, stages: int, new_layers: Sequence[str] = ()) -> None:
    """Leave the stages nearest to the pixels as they are: the stem is one, what timm calls a stage another.

    In a vision transformer each block is a stage.

    What they know, edges and colors, serves every image, and learning it again takes a good part of a
    step on a CPU: there the feature maps are largest. Their batch norms still follow the tiles.

    Args:
        network: Its weights are marked.
        stages: How many; 0 for none.
        new_layers: Parts of names of layers that start from random weights, and so have to learn.

    Raises:
        SettingsError: If the network's stages are not known, or it has no more than so many.
    """
    if not stages:
        return
    depths = {
        name: depth
        for name, depth in layer_depths(network, coarse=True).items()
        if not any(part in f".{name}" for part in new_layers)
    }
    there = sorted(set(depths.values()))
    if not there:
        raise SettingsError(
            "--keep-stages: the stages of this architecture are not known; leave it out"
        )
    if stages > len(there):
        raise SettingsError(
            f"--keep-stages {stages}: this architecture has {len(there)}; keep fewer"
        )
    kept = set(there[:stages])
    for name, parameter in network.named_parameters():
        if depths.get(name) in kept:
            parameter.requires_grad = False
