"""The two halves of a network whose backbone stays as it is: features, and the layer that classifies."""

from typing import Any

import torch
from torch import Tensor, nn

from histocli.errors import SettingsError


def pooled_features(network: nn.Module, tiles: Tensor) -> Tensor:
    """What the last layer sees of standardised tiles, shape ``(N, F)``.

    Raises:
        SettingsError: If the network does not say.
    """
    own: Any = getattr(network, "pooled_features", None)
    if own is not None:
        pooled: Tensor = own(tiles)
        return pooled
    parts: Any = network
    if not (hasattr(parts, "forward_features") and hasattr(parts, "forward_head")):
        raise SettingsError(
            f"{type(network).__name__} does not give its features; choose --transfer fine-tune"
        )
    pooled = parts.forward_head(parts.forward_features(tiles), pre_logits=True)
    return pooled.flatten(1)


def last_layer(network: nn.Module) -> nn.Linear | nn.Conv2d:
    """The layer that turns features into logits: linear, or a convolution of one pixel.

    Raises:
        SettingsError: If there is none.
    """
    asked: Any = getattr(network, "get_classifier", None)
    layer = asked() if asked is not None else None
    if not isinstance(layer, nn.Linear | nn.Conv2d):
        raise SettingsError(
            f"{type(network).__name__} has no single layer that classifies; choose --transfer fine-tune"
        )
    return layer


@torch.no_grad()
def set_last_layer(network: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Put weights ``(K, F)`` and bias ``(K,)`` into the layer that classifies."""
    layer = last_layer(network)
    layer.weight.copy_(weight.reshape(layer.weight.shape))
    if layer.bias is None:
        raise SettingsError(f"{type(network).__name__}'s last layer has no bias")
    layer.bias.copy_(bias)
