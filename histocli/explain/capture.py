"""Take one module's output, and the gradient of a score with respect to it, from a forward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from histocli.errors import SettingsError


class Capture:
    """What a module gave in the last forward pass.

    Attributes:
        activations: The output, the only leaf of the graph behind it; None before a pass.
    """

    def __init__(self) -> None:
        self.activations: Tensor | None = None

    def output(self) -> Tensor:
        """The captured output.

        Raises:
            SettingsError: If the forward pass did not reach the module.
        """
        if self.activations is None:
            raise SettingsError("the network does not use this layer; choose another --layer")
        return self.activations

    def gradient(self, scores: Tensor) -> Tensor:
        """Gradient of the sum of ``scores``, one a tile, with respect to the captured output.

        Raises:
            SettingsError: If the scores do not follow from the output.
        """
        # No tile's score depends on another tile, so the sum gives each tile its own gradient.
        (gradient,) = torch.autograd.grad(scores.sum(), self.output(), allow_unused=True)
        if gradient is None:
            raise SettingsError(
                "the network's scores do not depend on this layer; choose another --layer"
            )
        return gradient


@contextmanager
def capture(module: nn.Module) -> Iterator[Capture]:
    """Capture the output of ``module`` while the context lasts; the hook is removed at its end.

    The output becomes a leaf of the graph: nothing before the module is differentiated, and what
    follows works on a copy, so that a later in-place layer cannot change what was captured. Of a module
    that runs several times in a pass the last time counts.

    Args:
        module: Part of a network whose output is one tensor.
    """
    captured = Capture()

    def keep(module: nn.Module, inputs: Any, output: Any) -> Tensor:
        del module, inputs
        if not isinstance(output, Tensor):
            raise SettingsError("this layer gives more than one tensor; choose another --layer")
        captured.activations = output.detach().requires_grad_()
        return captured.activations.clone()

    handle = module.register_forward_hook(keep)
    try:
        yield captured
    finally:
        handle.remove()


@contextmanager
def held_still(model: nn.Module) -> Iterator[None]:
    """Evaluation mode (batch statistics fixed) and no gradients of weights; restored at the end."""
    modes = [(module, module.training) for module in model.modules()]
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    try:
        model.eval()
        for weight in learning:
            weight.requires_grad = False
        yield
    finally:
        for weight in learning:
            weight.requires_grad = True
        for module, training in modes:
            module.training = training
