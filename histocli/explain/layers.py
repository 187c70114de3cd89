"""Which layer to explain: the named one, or the last with a spatial grid."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from histocli.errors import SettingsError
from histocli.explain.capture import capture


@dataclass(frozen=True)
class Layer:
    """A module of a network that gives feature maps.

    Attributes:
        name: Dotted, as in ``named_modules``.
        module: The module.
        grid: Rows and columns of its feature maps.
    """

    name: str
    module: nn.Module
    grid: tuple[int, int]


def find_layer(network: nn.Module, input_size_px: int, name: str | None = None) -> Layer:
    """Find the layer to explain by one forward pass of an empty tile.

    Args:
        network: In evaluation mode.
        input_size_px: Side of its input.
        name: Dotted name; the last module with a grid of 2x2 or more if None.

    Raises:
        SettingsError: If there is no such layer, or it gives no feature map.
    """
    modules = {key: module for key, module in network.named_modules() if key}
    probe = torch.zeros(1, 3, input_size_px, input_size_px)
    probe = probe.to(next(network.parameters()).device)
    found = _last_with_grid(network, modules, probe) if name is None else name
    if found not in modules:
        raise SettingsError(f"unknown layer {found!r}{_hint(found, modules)}")
    with capture(modules[found]) as captured, torch.no_grad():
        network(probe)
    grid = _grid(captured.output())
    if grid is None:
        raise SettingsError(
            f"layer {found!r} gives no feature map with a grid of 2x2 or more; choose another --layer"
        )
    return Layer(found, modules[found], grid)


class _Trace:
    """What the modules gave, in the order in which they ended."""

    def __init__(self) -> None:
        self.found: str | None = None
        self.tokens_after = False
        self._last: Tensor | None = None
        self._version = 0

    def watch(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        """The hook of one module."""

        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            del module, inputs
            if not isinstance(output, Tensor):
                return
            if _grid(output) is None:
                self.tokens_after |= _is_tokens(output)
                return
            self.tokens_after = False
            # Torch documents this count of in-place changes: an activation may change its input.
            version = output._version  # noqa: SLF001 - public in all but its name
            # A container that hands on the output of its last module adds nothing.
            if output is not self._last or version != self._version:
                self.found, self._last, self._version = name, output, version

        return note


def _last_with_grid(network: nn.Module, modules: dict[str, nn.Module], probe: Tensor) -> str:
    trace = _Trace()
    handles = [module.register_forward_hook(trace.watch(name)) for name, module in modules.items()]
    try:
        with torch.no_grad():
            network(probe)
    finally:
        for handle in handles:
            handle.remove()
    if trace.found is None or trace.tokens_after:
        raise SettingsError(
            "this network decides from tokens, not from a feature map; explain a convolutional network "
            "(--arch efficientnet or resnet50), or name a layer that gives a feature map with --layer"
        )
    return trace.found


def _grid(output: Tensor) -> tuple[int, int] | None:
    """Rows and columns of a feature map ``(N, C, H, W)``; the input is square, so it is too."""
    if output.ndim != 4 or output.shape[2] != output.shape[3] or output.shape[2] < 2:
        return None
    return int(output.shape[2]), int(output.shape[3])


def _is_tokens(output: Tensor) -> bool:
    """Whether it is ``(N, tokens, C)``, or ``(N, H, W, C)`` as shifted windows have it."""
    return output.ndim == 3 or (output.ndim == 4 and min(output.shape[1:3]) >= 2)


def _hint(name: str, modules: dict[str, nn.Module]) -> str:
    close = get_close_matches(name, modules, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {', '.join(close)}?"
    return f"; its parts are {', '.join(key for key in modules if '.' not in key)}"
