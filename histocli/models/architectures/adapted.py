"""An architecture with what a user may change of it."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from histocli.errors import SettingsError
from histocli.models.architectures.architecture import Architecture
from histocli.models.architectures.center_pooling import STRENGTH, CenterPooling

POOLINGS = ("mean", "center")


@dataclass(frozen=True)
class NetworkOptions:
    """Changes that any convolutional network takes; its pretrained weights still fit.

    Attributes:
        pooling: ``mean``, or ``center`` for a ``CenterPooling``.
        stem_stride: Of the first convolution, 1 in place of 2; the architecture's own if None.
    """

    pooling: str = "mean"
    stem_stride: int | None = None

    def __post_init__(self) -> None:
        """Refuse what there is not.

        Raises:
            ValueError: If a choice is unknown.
        """
        if self.pooling not in POOLINGS or self.stem_stride not in (None, 1, 2):
            raise ValueError(f"unknown changes of a network: {self}")


AS_PUBLISHED = NetworkOptions()
# What timm calls the mean over places.
MEANS = ("avg", "fast", "fastavg")
PLACES = (2, 3)


def adapted(architecture: Architecture, options: NetworkOptions) -> Architecture:
    """The architecture with the changes.

    A stem of stride 1 gives the rest of the network maps of twice the side, so tiles of half the side cost
    it what it did: a small tile is seen pixel by pixel in place of being enlarged.

    Raises:
        SettingsError: When a network is built, if it has no place for a change.
    """

    def build(classes: int) -> nn.Module:
        network = architecture.build(classes)
        if options.stem_stride is not None:
            _set_stem(network, architecture, options.stem_stride)
        if options.pooling == "center":
            _pool_center(network, architecture)
        return network

    changed = architecture if options == AS_PUBLISHED else replace(architecture, build=build)
    if options.pooling == "center":
        changed = replace(changed, added=(*changed.added, f".{STRENGTH}"))
    if options.stem_stride == 1:
        side, grid = architecture.input_size_px // 2, architecture.grid_px // 2
        changed = replace(changed, input_size_px=side, grid_px=grid)
    return changed


def _set_stem(network: nn.Module, architecture: Architecture, stride: int) -> None:
    backbone = network.get_submodule(architecture.backbone)
    config: Any = getattr(backbone, "pretrained_cfg", {})
    name = config.get("first_conv")
    stem = backbone.get_submodule(name) if isinstance(name, str) else None
    if not isinstance(stem, nn.Conv2d) or stem.stride != (2, 2):
        raise SettingsError(
            f"--stem-stride {stride}: {architecture.name} does not begin with a convolution of stride 2; "
            "leave it out, or choose another --arch"
        )
    stem.stride = (stride, stride)


def _pool_center(network: nn.Module, architecture: Architecture) -> None:
    """Put a ``CenterPooling`` where the network takes the mean over places."""
    from timm.layers import SelectAdaptivePool2d  # heavy: only when a network is wanted

    pools = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, SelectAdaptivePool2d) and not module.is_identity()
    }
    if len(pools) != 1 or not all(_is_mean(pool) for pool in pools.values()):
        raise SettingsError(
            f"--pooling center: {architecture.name} does not take the mean of one feature map; "
            "leave it out, or choose another --arch"
        )
    ((place, pool),) = pools.items()
    parent, _, name = place.rpartition(".")
    keepdim = pool(torch.zeros(1, 1, 1, 1)).ndim > 2
    setattr(network.get_submodule(parent), name, CenterPooling(keepdim=keepdim))


def _is_mean(pool: Any) -> bool:
    """Whether it takes the mean of maps with the channels first."""
    return pool.pool_type in MEANS and getattr(pool.pool, "dim", PLACES) == PLACES
