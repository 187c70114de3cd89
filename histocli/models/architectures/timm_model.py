"""Any model of timm, as timm makes it."""

from difflib import get_close_matches
from typing import Any

from torch import nn

from histocli.errors import SettingsError
from histocli.models.architectures.architecture import Architecture, PublishedWeights, Triple


def timm_architecture(name: str) -> Architecture:
    """Describe a model of timm by its own configuration.

    Raises:
        SettingsError: If timm does not know the name.
    """
    import timm  # heavy: only when a network is wanted

    if not timm.is_model(name):
        close = get_close_matches(name, ["efficientnet", *timm.list_models()], n=3)
        hint = f"; did you mean {', '.join(close)}?" if close else "; `histo arch` lists some"
        raise SettingsError(f"unknown architecture {name!r}{hint}")
    config = timm.get_pretrained_cfg(name)

    def build(classes: int) -> nn.Module:
        network: nn.Module = timm.create_model(name, num_classes=classes)
        return network

    return Architecture(
        name=name,
        build=build,
        timm_name=name,
        input_size_px=int(config.input_size[-1]),
        mean=as_triple(config.mean),
        std=as_triple(config.std),
        fixed_input_size=bool(config.fixed_input_size),
        head=config.classifier if isinstance(config.classifier, str) else config.classifier[0],
        published=_published(config),
    )


def as_triple(values: Any) -> Triple:
    """Three numbers of a configuration."""
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _published(config: Any) -> PublishedWeights | None:
    repository = config.hf_hub_id
    if not repository:
        return None
    # timm's own entries name the organisation and leave the model to be added.
    if repository.endswith("/"):
        repository += f"{config.architecture}.{config.tag}"
    return PublishedWeights(repository, config.license or "see the model's page")
