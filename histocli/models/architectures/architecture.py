"""What the rest of the package needs to know of an architecture."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Architecture:
    """A recipe for a network.

    Attributes:
        name: As typed after ``--arch``.
        build: From the number of classes to a network with random weights; its forward takes
            standardised float tiles ``(N, 3, H, W)`` and gives logits.
        timm_name: The timm model whose weights fit the backbone.
        input_size_px: Side that tiles are resized to unless the user says otherwise.
        mean: Of the standardisation that the weights were trained with.
        std: Likewise.
        head: Prefix of the names of the layers that classify; ImageNet weights have their own.
        added: Prefixes or parts of names of layers that timm's model does not have.
        fixed_input_size: True if the network takes tiles of ``input_size_px`` only.
        backbone: Attribute of the network that timm's weights load into; the network itself if empty.
    """

    name: str
    build: Callable[[int], nn.Module]
    timm_name: str
    input_size_px: int
    mean: Triple
    std: Triple
    head: str
    added: str = ""
    backbone: str = ""
    fixed_input_size: bool = False
