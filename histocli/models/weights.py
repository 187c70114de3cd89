"""Transfer: start a network from pretrained weights."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor, nn

from histocli.errors import InputError, SettingsError
from histocli.models.architectures import Architecture
from histocli.models.weight_files import network_inside, read_weight_file
from histocli.models.weight_origins import advice, from_cache, from_hub, from_package, notice

# What libraries call the layers that classify.
HEADS = ("classifier.", "fc.", "head.", "heads.")


def load_weights(
    network: nn.Module,
    architecture: Architecture,
    weights: str,
    *,
    offline: bool,
    say: Callable[[str], None],
) -> str:
    """Start a network from pretrained weights; the layers that classify keep their own.

    Args:
        network: Made by ``architecture.build``.
        architecture: Whose.
        weights: ``none``, ``auto`` or a weight file.
        offline: Never use the network.
        say: Receives a line before anything is fetched, and one for weights with a license of their own.

    Returns:
        Where the weights came from, in words.

    Raises:
        SettingsError: If none can be had; the message says what to do.
        InputError: If a file does not fit.
    """
    if weights == "none":
        return "none: trained from random weights"
    if weights != "auto":
        path = Path(weights)
        unused = _fit(network, architecture, _of_file(path, architecture), str(path))
        published = architecture.published
        if published is not None and (published.gated or published.rename):
            say(f"published weights of {architecture.name}: {notice(published)}, {published.page}")
        return f"file {path.name}" + (f"; not used: {_some(unused)}" if unused else "")
    offline = offline or hub_is_forbidden()
    for find in (from_cache, from_package):
        found = find(architecture)
        if found is not None:
            tensors, origin = found
            _fit(network, architecture, tensors, origin)
            return origin
    if not offline:
        tensors, origin = from_hub(architecture, say)
        _fit(network, architecture, tensors, origin)
        return origin
    raise SettingsError(advice(architecture, "the network may not be used (--offline)"))


def hub_is_forbidden() -> bool:
    """Whether the environment says so."""
    return os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")


def _of_file(path: Path, architecture: Architecture) -> dict[str, Tensor]:
    """A file's tensors; those of another library under timm's names."""
    tensors = read_weight_file(path)
    rename = architecture.published.rename if architecture.published else None
    renamed = rename(tensors) if rename else {}
    return renamed or tensors


def _fit(
    network: nn.Module, architecture: Architecture, tensors: Mapping[str, Tensor], origin: str
) -> list[str]:
    """Load weights; only layers that classify or that the architecture adds may be missing.

    Returns:
        Names of the tensors that the network has no place for.
    """
    target = network.get_submodule(architecture.backbone) if architecture.backbone else network
    own = target.state_dict()
    inside = network_inside(tensors, own.keys())
    classifies = f"{architecture.head}."
    heads = (classifies, *HEADS)

    def is_wanted(name: str) -> bool:
        if not name.startswith(heads):
            return True
        # Below a head may be more than what classifies: ConvNeXt's last norm belongs to its features.
        fits = name in own and inside[name].shape == own[name].shape
        return fits and not name.startswith(classifies)

    body = {name: tensor for name, tensor in inside.items() if is_wanted(name)}
    missing = [
        name
        for name in own
        if name not in body
        and not name.startswith(heads)
        and not any(part in name for part in architecture.added)
        and not name.endswith("num_batches_tracked")
    ]
    wrong = [name for name in body if name in own and body[name].shape != own[name].shape]
    for problem, names in (("lacks", missing), ("has another shape of", wrong)):
        if names:
            fitting = sum(name in own for name in body) - len(wrong)
            raise InputError(
                f"{origin} does not fit {architecture.timm_name}: it {problem} {_some(names)} "
                f"({fitting} of {len(own)} tensors fit); is it of another network?"
            )
    target.load_state_dict({name: body[name] for name in own if name in body}, strict=False)
    return [name for name in inside if name not in own]


def _some(names: list[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
