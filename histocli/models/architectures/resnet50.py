"""ResNet-50 with channel and spatial attention after each stage."""

import torch
from torch import Tensor, nn

from histocli.models.architectures.architecture import Architecture
from histocli.models.architectures.timm_model import timm_architecture

# Bottleneck widths of ResNet-50's four stages.
STAGES = {"layer1": 256, "layer2": 512, "layer3": 1024, "layer4": 2048}
INPUT_SIZE_PX = 160


class ResidualAttention(nn.Module):
    """CBAM that starts as the identity: ``x + strength * (CBAM(x) - x)``, strength 0 at first.

    A CBAM with random weights halves its input twice (each gate is near one half), which undoes
    pretrained features; here training decides per channel how much attention to let in.

    Source:
        Woo et al., ECCV 2018 (CBAM); Bachlechner et al., UAI 2021 (the zero-initialised strength).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        from timm.layers.cbam import CbamModule  # heavy: only when a network is wanted

        self.cbam = CbamModule(channels)
        self.strength = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Attend to channels, then places."""
        attended: Tensor = self.cbam(features)
        return features + self.strength * (attended - features)


def resnet50() -> Architecture:
    """Timm's ResNet-50 with a ``ResidualAttention`` at the end of each stage.

    Woo et al. put a CBAM on the residual branch of every block, before the addition, and train the whole
    from random weights on a million images. Here pretrained features meet some thousand tiles, hence:

    - after the addition, at the end of a stage: the gates see finished features rather than corrections to
      them, and a gate there reaches all that follows, while one on a branch is outvoted by the shortcut;
    - four gates rather than sixteen: 2.7 % more parameters to learn from nothing in place of 9.9 %;
    - strength zero at first: with weights, the network begins as exactly the ResNet that they are of, and
      without a single gate's gradient it would stay that;
    - beside timm's layers, not around them: every name stays what it is, so weight files load.
    """
    plain = timm_architecture("resnet50")

    def build(classes: int) -> nn.Module:
        network = plain.build(classes)
        for stage, channels in STAGES.items():
            network.get_submodule(stage).add_module("attention", ResidualAttention(channels))
        return network

    return Architecture(
        name="resnet50",
        build=build,
        timm_name="resnet50",
        input_size_px=INPUT_SIZE_PX,
        mean=plain.mean,
        std=plain.std,
        head="fc",
        added=(".attention.",),
        published=plain.published,
    )
