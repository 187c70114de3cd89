"""What a contestant does to tiles that it cannot do."""

import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speed.contestants import Contestant, Normalize, Tiles

# What packages are known to raise on tiles that they cannot do.
RAISED = (
    *(ArithmeticError, AssertionError, LookupError, MemoryError),
    *(RuntimeError, TypeError, ValueError),
)


@dataclass
class Failures:
    """What became of tiles.

    Attributes:
        tiles: How many were tried.
        raised: An exception came, for the tile alone.
        not_finite: NaN or infinite, or no grey level.
        constant: One color, where the tile was not.
        unchanged: The tile as it was, which is right for glass and for what has no usable stain, and is
            also what torch-staintools returns for every exception.
        errors: Names of the exceptions.
    """

    tiles: int = 0
    raised: int = 0
    not_finite: int = 0
    constant: int = 0
    unchanged: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, before: Tiles, after: NDArray[Any], *, cast_warned: bool) -> None:
        """Count tiles ``(N, 3, H, W)`` by the worst that happened to them."""
        after = after.reshape(len(after), -1)
        before = before.reshape(len(before), -1)
        bad = ~np.isfinite(after) | (after < 0) | (after > 255.5)
        finite = ~bad.any(axis=1)
        if cast_warned and len(after) == 1:
            finite[:] = False
        channels = (len(after), 3, -1)
        flat = np.ptp(np.where(bad, 0, after).reshape(channels), axis=2).max(axis=1) == 0
        was_flat = np.ptp(before.reshape(channels), axis=2).max(axis=1) == 0
        same = np.all(np.abs(after - before) < 0.5, axis=1)
        self.tiles += len(after)
        self.not_finite += int(np.sum(~finite))
        self.constant += int(np.sum(finite & flat & ~was_flat))
        self.unchanged += int(np.sum(finite & same & ~(flat & ~was_flat)))


def count_failures(
    contestant: Contestant, normalize: Normalize, work: Any, tiles: Tiles, batch: int
) -> Failures:
    """Normalize tiles in batches and look at what comes out; a batch that raises goes one by one."""
    from histocli.stain.arrays import to_numpy

    failures = Failures()

    def attempt(first: int, last: int) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                output = normalize(work[first:last])
            except RAISED as error:
                if last - first > 1:
                    for number in range(first, last):
                        attempt(number, number + 1)
                else:
                    failures.tiles += 1
                    failures.raised += 1
                    failures.errors[type(error).__name__] += 1
                return
        # NumPy turns NaN into some grey level, and warns.
        warned = any("invalid value encountered in cast" in str(w.message) for w in caught)
        after = to_numpy(output).astype(np.float64)
        after = after.transpose(0, 3, 1, 2) if contestant.channels_last else after
        after = after * 255 if contestant.form == "floats" else after
        failures.add(tiles[first:last], after, cast_warned=warned)

    for first in range(0, len(tiles), batch):
        attempt(first, min(first + batch, len(tiles)))
    return failures
