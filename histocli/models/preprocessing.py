"""From uint8 tiles to what a network sees: the only division by 255."""

from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from histocli.models.architectures.architecture import Architecture, Triple


@dataclass(frozen=True)
class PreprocessingConstants:
    """Side of the square that tiles are resized to, and the constants of the standardisation."""

    input_size_px: int
    mean: Triple
    std: Triple

    @classmethod
    def of(cls, architecture: Architecture, input_size_px: int | None) -> Self:
        """The architecture's own, at another size if one is stated."""
        return cls(input_size_px or architecture.input_size_px, architecture.mean, architecture.std)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read back what ``dataclasses.asdict`` made."""
        return cls(int(content["input_size_px"]), _triple(content["mean"]), _triple(content["std"]))


def to_unit_range(tiles: Tensor) -> Tensor:
    """uint8 grey levels to float32 in [0, 1]."""
    return tiles.to(torch.float32) / 255.0


class Standardization(nn.Module):
    """Resize tiles in [0, 1] and standardise their channels."""

    mean: Tensor
    std: Tensor

    def __init__(self, constants: PreprocessingConstants) -> None:
        super().__init__()
        self.constants = constants
        for name, values in (("mean", constants.mean), ("std", constants.std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def resize_to(self, side: int) -> None:
        """Resize tiles to another side from now on."""
        self.constants = replace(self.constants, input_size_px=side)

    def forward(self, tiles: Tensor) -> Tensor:
        """Resize by bilinear interpolation, with an antialiasing filter where tiles shrink."""
        side = self.constants.input_size_px
        if tiles.shape[-2:] != (side, side):
            shrinks = max(tiles.shape[-2:]) > side
            tiles = functional.interpolate(
                tiles, (side, side), mode="bilinear", antialias=shrinks, align_corners=False
            )
        return (tiles - self.mean) / self.std


def _triple(values: list[float]) -> Triple:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
