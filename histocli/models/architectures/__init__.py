"""Architectures: each file builds one over timm.

To add one, write a file with a builder like these and add a line to ``ARCHITECTURES``.
"""

from collections.abc import Callable, Mapping

from histocli.models.architectures.architecture import Architecture
from histocli.models.architectures.efficientnet import efficientnet
from histocli.models.architectures.resnet50 import resnet50
from histocli.models.architectures.timm_model import timm_architecture

__all__ = ["ARCHITECTURES", "Architecture", "find_architecture"]

ARCHITECTURES: Mapping[str, Callable[[], Architecture]] = {
    "efficientnet": efficientnet,
    "resnet50": resnet50,
}


def find_architecture(name: str) -> Architecture:
    """Look an architecture up: ours first, then any of timm's.

    Raises:
        SettingsError: If neither knows the name.
    """
    ours = ARCHITECTURES.get(name)
    return ours() if ours else timm_architecture(name)
