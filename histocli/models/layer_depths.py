"""How deep in a network each of its parameters lies."""

from typing import Any

from torch import nn


def layer_depths(network: nn.Module, *, coarse: bool) -> dict[str, int]:
    """Layer, or stage if ``coarse``, of each parameter as timm counts them, 0 nearest to the pixels.

    Empty where timm does not know the layers.
    """
    from timm.models import group_parameters  # heavy: only when a model is trained

    prefix, backbone = "", network
    if not hasattr(network, "group_matcher") and hasattr(network, "backbone"):
        prefix, backbone = "backbone.", network.get_submodule("backbone")
    if not hasattr(backbone, "group_matcher"):
        return {}
    matcher: Any = backbone.group_matcher
    layers = group_parameters(backbone, matcher(coarse=coarse), reverse=True)
    return {f"{prefix}{name}": int(depth) for name, depth in layers.items()}
