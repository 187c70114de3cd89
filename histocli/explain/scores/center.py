"""The share of a map's mass inside a centered box, with its chance level and its ceiling."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from histocli.errors import SettingsError
from histocli.explain.scores.enlarging import interpolation_matrix


@dataclass(frozen=True)
class CenterBox:
    """A box of pixels in the middle of a tile: rows ``top`` to ``bottom``, the last excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of(cls, height: int, width: int, center_px: int) -> Self:
        """The square of side ``center_px`` in a tile's middle, cut to the tile."""
        rows, columns = min(center_px, height), min(center_px, width)
        top, left = (height - rows) // 2, (width - columns) // 2
        return cls(top, left, top + rows, left + columns)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The box that ``LEFT,TOP,RIGHT,BOTTOM`` states, right and bottom excluded.

        Raises:
            SettingsError: If the text is no such box.
        """
        try:
            left, top, right, bottom = (int(number) for number in text.split(","))
        except ValueError:
            left = top = right = bottom = -1
        if not (0 <= left < right and 0 <= top < bottom):
            raise SettingsError(
                f"--box {text!r} is no box; state LEFT,TOP,RIGHT,BOTTOM in pixels, such as 32,32,64,64"
            )
        return cls(top, left, bottom, right)

    @property
    def area(self) -> int:
        """Pixels inside."""
        return (self.bottom - self.top) * (self.right - self.left)


def attention_share(maps: NDArray[np.float64], box: CenterBox) -> NDArray[np.float64]:
    """Share of each map's mass inside the box; NaN for a map without any.

    Args:
        maps: At the tile's resolution, none negative, shape ``(N, H, W)``.
        box: In pixels of the tile.

    Returns:
        Shares, shape ``(N,)``.
    """
    total = maps.sum(axis=(1, 2))
    inside = maps[:, box.top : box.bottom, box.left : box.right].sum(axis=(1, 2))
    share = np.full(len(maps), np.nan)
    np.divide(inside, total, out=share, where=total > 0)
    return share


def chance_share(height: int, width: int, box: CenterBox) -> float:
    """Share of a map that is the same everywhere: the box's part of the tile."""
    return box.area / (height * width)


def ceiling_share(grid: tuple[int, int], height: int, width: int, box: CenterBox) -> float:
    """The highest share that any map of a grid can reach once it is enlarged to the tile.

    An enlarged map is a sum of the cells' own enlarged maps, so its share is an average of theirs and the
    highest is that of one cell. A cell's enlarged map is a product of a profile along the rows and one
    along the columns, and so is its share.

    Args:
        grid: Rows and columns of the layer's feature maps.
        height: Of the tile.
        width: Of the tile.
        box: In pixels of the tile.
    """
    along_rows = interpolation_matrix(grid[0], height)
    along_columns = interpolation_matrix(grid[1], width)
    rows = along_rows[box.top : box.bottom].sum(axis=0) / along_rows.sum(axis=0)
    columns = along_columns[box.left : box.right].sum(axis=0) / along_columns.sum(axis=0)
    return min(1.0, float(rows.max() * columns.max()))
