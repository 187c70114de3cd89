"""How the output of a layer is a feature map: convolutions, shifted windows and tokens differ."""

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

Kind = Literal["channels_first", "channels_last", "tokens"]


@dataclass(frozen=True)
class Arrangement:
    """Where rows, columns and channels are in an output.

    Attributes:
        kind: ``(N, C, h, w)``, ``(N, h, w, C)``, or ``(N, prefix + h * w, C)``.
        grid: Rows and columns.
        prefix: Tokens before those of the grid: the class token, the registers.
    """

    kind: Kind
    grid: tuple[int, int]
    prefix: int = 0

    def feature_map(self, output: Tensor) -> Tensor:
        """A view of shape ``(N, C, h, w)``."""
        if self.kind == "channels_first":
            return output
        if self.kind == "channels_last":
            return output.permute(0, 3, 1, 2)
        return output[:, self.prefix :].mT.unflatten(2, self.grid)


def arrangement_of(output: Tensor, network: nn.Module) -> Arrangement | None:
    """Recognise a feature map of 2x2 places or more; None if it is none.

    The input of the network is square, so its grids are too.

    Args:
        output: Of a layer, for one tile.
        network: Its attribute ``num_prefix_tokens``, of timm's transformers, says how many tokens are no
            place of the tile.
    """
    shape = tuple(output.shape)
    if shape[:1] != (1,):
        # Windows of the tile, one after the other.
        return None
    if len(shape) == 4 and shape[2] == shape[3] >= 2:
        return Arrangement("channels_first", (shape[2], shape[3]))
    if len(shape) == 4 and shape[1] == shape[2] >= 2:
        return Arrangement("channels_last", (shape[1], shape[2]))
    prefix = int(getattr(network, "num_prefix_tokens", 0))
    if len(shape) != 3 or shape[1] - prefix < 4:
        return None
    side = math.isqrt(shape[1] - prefix)
    return Arrangement("tokens", (side, side), prefix) if side**2 == shape[1] - prefix else None
