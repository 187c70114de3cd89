"""Features of a frozen backbone, computed once for each tile and kept."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.atomic_files import atomic_path
from histocli.device_memory import FittingParts
from histocli.models.classifier import TileClassifier
from histocli.models.linear_head import last_layer, pooled_features
from histocli.training.device_batches import DeviceBatch


@dataclass(frozen=True)
class KeptFeatures:
    """Features of the tiles of a split, by the names that tiles have within it.

    Where a tile stands among others depends on what else lies in the data set; its name does not.

    Attributes:
        names: Of the tiles that could be read.
        features: Theirs, shape ``(N, F)``.
        unreadable: Names of the others, and the reasons.
    """

    names: list[str]
    features: NDArray[np.float32]
    unreadable: Mapping[str, str]


def features_key(model: TileClassifier, source_sha256: str, *facts: object) -> str:
    """Name of the features of some tiles: bound to their content, the backbone's weights and its input."""
    digest = hashlib.sha256(source_sha256.encode())
    digest.update(repr((facts, model.standardization.constants)).encode())
    classifying = {id(parameter) for parameter in last_layer(model.network).parameters()}
    for name, tensor in model.network.state_dict(keep_vars=True).items():
        # What classifies is not part of the features, and a new run's is random.
        if id(tensor) not in classifying:
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def compute_features(
    model: TileClassifier,
    batches: Iterable[DeviceBatch],
    *,
    already_normalized: bool,
    advance: Callable[[int], None],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices of the tiles, and the features of each, shape ``(N, F)``."""
    model.eval()
    indices: list[NDArray[np.int64]] = []
    features: list[NDArray[np.float32]] = []
    parts = FittingParts()

    def some(pixels: Tensor, first: int, last: int) -> NDArray[np.float32]:
        prepared = model.prepare(pixels[first:last], already_normalized=already_normalized)
        standardized = model.standardization(prepared)
        inputs = standardized.contiguous(memory_format=torch.channels_last)
        found: NDArray[np.float32] = pooled_features(model.network, inputs).float().cpu().numpy()
        return found

    for batch in batches:
        with torch.inference_mode():
            features += parts.each(partial(some, batch.pixels), len(batch.indices))
        indices.append(batch.indices)
        advance(len(batch.indices))
    return np.concatenate(indices), np.concatenate(features)


def read_features(path: Path) -> KeptFeatures | None:
    """Read what ``write_features`` wrote; None where there is nothing whole."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            names, unreadable = stored["names"].tolist(), stored["unreadable"].tolist()
            return KeptFeatures(names, stored["features"], dict(unreadable))
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def write_features(path: Path, kept: KeptFeatures) -> None:
    """Keep features for the next run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = np.array(list(kept.unreadable.items()), dtype=np.str_).reshape(-1, 2)
    names = np.array(kept.names, dtype=np.str_)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, names=names, features=kept.features, unreadable=pairs)
