"""Which layer to explain: the named one, or the last with a spatial grid that the score depends on."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from histocli.errors import SettingsError
from histocli.explain.arrangement import Arrangement, arrangement_of
from histocli.explain.capture import capture


@dataclass(frozen=True)
class Layer:
    """A module of a network that gives feature maps.

    Attributes:
        name: Dotted, as in ``named_modules``.
        module: The module.
        arrangement: How its output is a feature map.
    """

    name: str
    module: nn.Module
    arrangement: Arrangement

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of its feature maps."""
        return self.arrangement.grid


def find_layer(network: nn.Module, input_size_px: int, name: str | None = None) -> Layer:
    """Find the layer to explain by passing an empty tile through.

    Args:
        network: In evaluation mode.
        input_size_px: Side of its input.
        name: Dotted name; if None, the last module with a grid of 2x2 or more. Of a transformer that
            decides from its class token this is the norm before the last attention: what the other tokens
            become after it has no influence.

    Raises:
        SettingsError: If there is no such layer, or it gives no feature map.
    """
    modules = {key: module for key, module in network.named_modules() if key}
    probe = torch.zeros(1, 3, input_size_px, input_size_px)
    probe = probe.to(next(network.parameters()))
    found = _last_with_grid(network, modules, probe) if name is None else name
    if found not in modules:
        raise SettingsError(f"unknown layer {found!r}{_hint(found, modules)}")
    with capture(modules[found]) as captured, torch.no_grad():
        network(probe)
    arrangement = arrangement_of(captured.output(), network)
    if arrangement is None:
        raise SettingsError(
            f"layer {found!r} gives no feature map with a grid of 2x2 or more; choose another --layer"
        )
    return Layer(found, modules[found], arrangement)


class _Trace:
    """What the modules gave, in the order in which they ended."""

    def __init__(self, network: nn.Module) -> None:
        self.found: list[tuple[str, Tensor, Arrangement]] = []
        self._network = network
        self._version = 0

    def watch(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        """The hook of one module."""

        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            del module, inputs
            arrangement = (
                arrangement_of(output, self._network) if isinstance(output, Tensor) else None
            )
            if arrangement is None or not self._is_stream(output, arrangement):
                return
            # Torch documents this count of in-place changes: an activation may change its input.
            version = output._version  # noqa: SLF001 - public in all but its name
            # A container that hands on the output of its last module adds nothing.
            if self.found and output is self.found[-1][1] and version == self._version:
                return
            self.found.append((name, output, arrangement))
            self._version = version

        return note

    def _is_stream(self, output: Tensor, arrangement: Arrangement) -> bool:
        """Whether it is the network's features, not the queries, weights or hidden layer of a block."""
        if arrangement.kind == "channels_first":
            # Of a transformer a square of that kind would be the weights of an attention.
            return not hasattr(self._network, "num_prefix_tokens")
        return output.shape[-1] == getattr(self._network, "num_features", None)


def _last_with_grid(network: nn.Module, modules: dict[str, nn.Module], probe: Tensor) -> str:
    trace = _Trace(network)
    handles = [module.register_forward_hook(trace.watch(name)) for name, module in modules.items()]
    try:
        # The class token's dependence is seen by differentiating; the tile makes a graph possible
        # where the weights are held still.
        with torch.enable_grad():
            network(probe.requires_grad_())
            if trace.found and trace.found[-1][2].prefix:
                trace.found.clear()
                decided = _decided_from(network, probe)
                return _last_that_matters(trace.found, decided)
    finally:
        for handle in handles:
            handle.remove()
    if not trace.found:
        raise SettingsError(
            "no layer of this network gives a feature map or tokens in a square grid; explain another "
            "--arch, or use --method integrated-gradients or occlusion, which need no layer"
        )
    return trace.found[-1][0]


def _decided_from(network: nn.Module, probe: Tensor) -> Tensor:
    """What timm's classifier reads, in one number: the classifier itself may start at zero."""
    pooled: Tensor = network.forward_head(network.forward_features(probe), pre_logits=True)  # type: ignore[operator] # of timm
    # Not the plain sum, nor that of squares: a layer norm makes them the same for any tile.
    direction = torch.linspace(-1, 1, pooled.shape[1], device=pooled.device)
    return (pooled * direction).sum()


def _last_that_matters(found: list[tuple[str, Tensor, Arrangement]], decided: Tensor) -> str:
    outputs = [output for _, output, _ in found]
    gradients = torch.autograd.grad(decided, outputs, allow_unused=True)
    for (name, _, arrangement), gradient in zip(found[::-1], gradients[::-1], strict=True):
        if gradient is not None and arrangement.feature_map(gradient).any():
            return name
    raise SettingsError(
        "this network decides without the tokens of its grid; name a layer with --layer"
    )


def _hint(name: str, modules: dict[str, nn.Module]) -> str:
    close = get_close_matches(name, modules, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {', '.join(close)}?"
    return f"; its parts are {', '.join(key for key in modules if '.' not in key)}"
