"""Any model that somebody published for timm on the Hugging Face hub: ``hf-hub:OWNER/NAME``."""

from pathlib import Path
from typing import Any

from torch import nn

from histocli.atomic_files import parse_json
from histocli.errors import InputError, SettingsError
from histocli.models.architectures.architecture import Architecture, PublishedWeights
from histocli.models.architectures.timm_model import as_triple

PREFIX = "hf-hub:"
CONFIG = "config.json"
# Arguments of timm itself, not of a network: they read other files, ask the network, or change the process.
REFUSED = frozenset(
    (
        "model_name",
        "checkpoint_path",
        "cache_dir",
        "scriptable",
        "exportable",
        "no_jit",
        "model_cfg",
    )
)
REFUSED_BEGINNING = "pretrained"


def hub_architecture(name: str) -> Architecture:
    """Describe a published model by its own ``config.json``, which must lie in the hub's local cache.

    A network is never asked here, because a run needs this whenever it is read.

    Raises:
        SettingsError: If the description is not there; the message says how to get it.
        InputError: If it is no description of a timm model.
    """
    from huggingface_hub import try_to_load_from_cache

    repository = name.removeprefix(PREFIX)
    if repository.count("/") != 1:
        raise SettingsError(f"{name!r}: name a model as {PREFIX}OWNER/NAME")
    path = try_to_load_from_cache(repository, CONFIG)
    if not isinstance(path, str):
        raise SettingsError(
            f"{name}: its description is not in the local cache; fetch it once with "
            f"`hf download {repository} {CONFIG}`"
        )
    try:
        content = parse_json(Path(path).read_text())
        return _described(name, repository, content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: no description of a timm model ({error!r}); choose a model whose page says timm"
        ) from error


def _check_options(options: dict[str, Any]) -> None:
    """Refuse what a stranger may not ask of timm.

    Raises:
        ValueError: Naming the option.
    """
    for key, value in options.items():
        if key in REFUSED or key.startswith(REFUSED_BEGINNING):
            raise ValueError(f"its option {key} is refused, for it is none of the network")
        if not _is_plain(value):
            raise ValueError(f"its option {key} is neither a number, a text nor a list of such")


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    return value is None or isinstance(value, bool | int | float | str)


def _described(name: str, repository: str, content: dict[str, Any]) -> Architecture:
    import timm  # heavy: only when a network is wanted

    timm_name, config = str(content["architecture"]), content["pretrained_cfg"]
    if not timm.is_model(timm_name):
        raise ValueError(f"timm knows no {timm_name}")
    options: dict[str, Any] = dict(content.get("model_args", {}))
    if "global_pool" in content:
        options["global_pool"] = content["global_pool"]
    _check_options(options)

    def build(classes: int) -> nn.Module:
        network: nn.Module = timm.create_model(timm_name, **{**options, "num_classes": classes})
        return network

    return Architecture(
        name=name,
        build=build,
        timm_name=timm_name,
        input_size_px=int(config["input_size"][-1]),
        mean=as_triple(config["mean"]),
        std=as_triple(config["std"]),
        fixed_input_size=bool(config.get("fixed_input_size", False)),
        head=str(config.get("classifier", "head")),
        published=PublishedWeights(repository, config.get("license") or "see the model's page"),
    )
