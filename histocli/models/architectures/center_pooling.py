"""Pooling that may learn to weigh the center of a tile more than its rim."""

import torch
from torch import Tensor, nn

# Distances are counted in sixths of a side: the half of PatchCamelyon's 32 px center in a tile of 96 px.
UNITS_A_SIDE = 6.0
# What the parameter is called, which no weight file has.
STRENGTH = "center_strength"


class CenterPooling(nn.Module):
    """A mean over the places of a feature map, weighted by ``exp(-strength * distance ** 2)``.

    Where a label is about the center of a tile only, as PatchCamelyon's is, the rim is context at best.
    How much it shall count is one number that training learns. It starts at zero, which is the plain
    mean: nothing is decided beforehand, and pretrained features are not shaken. With strength 1 a place
    at the edge of PatchCamelyon's center counts e^-1 of one in the middle.

    Args:
        keepdim: Whether a pixel is left of the map, for what follows and expects one.
    """

    def __init__(self, *, keepdim: bool = False) -> None:
        super().__init__()
        self.keepdim = keepdim
        self.register_parameter(STRENGTH, nn.Parameter(torch.zeros(1)))

    def weights(self, height: int, width: int) -> Tensor:
        """Of each place, shape ``(H, W)``; they sum to one."""
        strength = self.get_parameter(STRENGTH)
        rows, columns = (_squared_distances(size, strength) for size in (height, width))
        distance = rows[:, None] + columns[None, :]
        return torch.softmax((-strength * distance).flatten(), 0).reshape(height, width)

    def forward(self, features: Tensor) -> Tensor:
        """From ``(N, C, H, W)`` to ``(N, C)``, or ``(N, C, 1, 1)``."""
        height, width = features.shape[-2:]
        weighted = features * self.weights(height, width).to(features.dtype)
        return weighted.sum(dim=(2, 3), keepdim=self.keepdim)


def _squared_distances(size: int, like: Tensor) -> Tensor:
    """From the middle of a line to the middle of each of its cells."""
    places = (torch.arange(size, dtype=like.dtype, device=like.device) + 0.5) / size - 0.5
    return (places * UNITS_A_SIDE) ** 2
