"""Architectures: each file builds one over timm.

To add one, write a file with a builder like these and add a line to ``ARCHITECTURES``; a foundation model
of pathology is an entry of ``FOUNDATION_MODELS``.
"""

from collections.abc import Callable, Mapping

from histocli.models.architectures.adapted import AS_PUBLISHED, NetworkOptions, adapted
from histocli.models.architectures.architecture import Architecture, PublishedWeights
from histocli.models.architectures.efficientnet import efficientnet
from histocli.models.architectures.foundation import (
    FOUNDATION_MODELS,
    foundation_architecture,
    named_by_repository,
)
from histocli.models.architectures.hub_model import PREFIX, hub_architecture
from histocli.models.architectures.resnet50 import resnet50
from histocli.models.architectures.timm_model import timm_architecture
from histocli.models.architectures.vit import vit

__all__ = [
    "ARCHITECTURES",
    "AS_PUBLISHED",
    "FOUNDATION_MODELS",
    "Architecture",
    "NetworkOptions",
    "PublishedWeights",
    "adapted",
    "find_architecture",
]

ARCHITECTURES: Mapping[str, Callable[[], Architecture]] = {
    "efficientnet": efficientnet,
    "resnet50": resnet50,
    "vit": vit,
}


def find_architecture(name: str) -> Architecture:
    """Look an architecture up: ours, foundation models, ``hf-hub:OWNER/NAME``, then any of timm's.

    Raises:
        SettingsError: If none of them knows the name.
    """
    ours = ARCHITECTURES.get(name)
    if ours:
        return ours()
    known = named_by_repository(name.removeprefix(PREFIX)) or name
    if known in FOUNDATION_MODELS:
        return foundation_architecture(known)
    return hub_architecture(name) if name.startswith(PREFIX) else timm_architecture(name)
