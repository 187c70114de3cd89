"""Whether a network takes tiles of the sides that a training has."""

from collections.abc import Sequence

import torch
from torch import nn

from histocli.errors import SettingsError
from histocli.models.architectures import Architecture

# What the strides, patches and windows of networks divide.
GRIDS_PX = (14, 16, 32)
REACH_PX = 256
# What networks raise where a side does not fit.
MISFITS = (AssertionError, RuntimeError, ValueError)


def check_sides(network: nn.Module, architecture: Architecture, sides: Sequence[int]) -> None:
    """Try each side on a copy of the network that has shapes but no numbers, which takes no time.

    Args:
        network: The real one, which has the last word on a side that the copy does not take.
        architecture: Of the network; its own side needs no trial.
        sides: Of the tiles.

    Raises:
        SettingsError: If a side does not fit; the message says which do.
    """
    others = [side for side in sides if side != architecture.input_size_px]
    shapes = _shapes_of(architecture) if others else None
    if shapes is None:
        return
    for side in others:
        if not _takes(shapes, side) and not _takes(network, side):
            option = "--input-size-px" if side == max(sides) else "--initial-size-px"
            raise SettingsError(
                f"{architecture.name} takes no tiles of {side} px; choose {option} "
                + " or ".join(str(fitting) for fitting in _fitting(shapes, architecture, side))
            )


def _shapes_of(architecture: Architecture) -> nn.Module | None:
    """The network on torch's device for shapes; None if it cannot be there."""
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            shapes = architecture.build(2)
    except (*MISFITS, NotImplementedError):
        return None
    return shapes if _takes(shapes, architecture.input_size_px) else None


def _takes(network: nn.Module, side: int) -> bool:
    """Whether it predicts a tile of this side; its mode stays as it is."""
    device = next(network.parameters()).device
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, side, side, device=device))
    except MISFITS:
        return False
    finally:
        for module, mode in modes:
            module.training = mode
    return True


def _fitting(shapes: nn.Module, architecture: Architecture, side: int) -> list[int]:
    """The nearest sides that fit, one below and one above; the architecture's own without any."""
    candidates = sorted(
        {grid * times for grid in GRIDS_PX for times in range(1, (side + REACH_PX) // grid + 1)}
    )
    below = (near for near in reversed(candidates) if near < side and _takes(shapes, near))
    above = (near for near in candidates if near > side and _takes(shapes, near))
    found = [near for near in (next(below, None), next(above, None)) if near is not None]
    return found or [architecture.input_size_px]
