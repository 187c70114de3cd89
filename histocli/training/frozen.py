"""Train the last layer alone, on features of a backbone that stays as it is."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax

from histocli.data.disk_cache import default_cache_folder
from histocli.data.loading import SkippedTile
from histocli.data.tiles import Split, content_hash, name_in_split
from histocli.errors import SettingsError
from histocli.models.linear_head import last_layer, set_last_layer
from histocli.training.dataset import SplitData, TrainingData
from histocli.training.features import (
    KeptFeatures,
    compute_features,
    features_key,
    read_features,
    write_features,
)
from histocli.training.feeds import Feed
from histocli.training.linear_probe import LinearProbe, fit_linear_probe
from histocli.training.monitor import Monitor
from histocli.training.network import Training
from histocli.training.plan import RunOptions
from histocli.training.stopping import StopRequest

Features = tuple[NDArray[np.int64], NDArray[np.float32]]

# Options of training that a fixed backbone leaves nothing to do for.
WITHOUT_EFFECT = (
    *("epochs", "initial_size_px", "accumulate", "patience", "pooling"),
    *("optimizer", "learning_rate", "head_learning_rate", "layer_decay", "keep_stages"),
    *("weight_decay", "schedule", "warmup_fraction", "gradient_clip", "ema_decay"),
    *("label_smoothing", "focal_gamma", "sampling", "precision", "compile"),
    *("color_jitter", "stain_augmentation", "rand_augment", "mixup", "cutmix"),
)


def train_frozen(
    data: TrainingData,
    training: Training,
    options: RunOptions,
    feeds: Mapping[Split, Feed],
    monitor: Monitor,
    skipped: list[SkippedTile],
    stop: StopRequest,
    *,
    batch_size: int,
    balanced: bool,
) -> dict[str, Any]:
    """Fit the last layer of ``training``'s model; the row of ``history.csv``.

    The features of a split are kept in the cache, named by the tiles' content and the backbone's weights:
    another head on the same features takes seconds.

    Raises:
        SettingsError: If the network has no last layer to fit.
    """
    started = time.monotonic()
    model = training.learner.model
    last_layer(model.network)
    by_split: dict[str, Features] = {}
    for split in ("train", "valid"):
        own = data.splits[split]
        tiles = content_hash(own.source, own.indices)
        key = features_key(
            model, tiles, training.card.stain, training.card.network, own.already_normalized
        )
        folder = options.cache_folder or default_cache_folder()
        path = folder / f"features-{key}.npz"
        places = _places(own)
        found = _of_these_tiles(read_features(path), places)
        if found is None:
            advance = monitor.begin(f"features of {split}", len(own.indices))
            unreadable: list[SkippedTile] = []
            batches = stop.watch(feeds[split](own.indices, batch_size, unreadable))
            indices, features = compute_features(
                model, batches, already_normalized=own.already_normalized, advance=advance
            )
            found = _kept(own, places, indices, features, unreadable)
            write_features(path, found)
            monitor.say(f"features of {split}: kept in {path}")
        else:
            monitor.say(f"features of {split}: read from {path}")
        skipped.extend(
            SkippedTile(own.source.tiles[places[name]].id, reason)
            for name, reason in found.unreadable.items()
        )
        by_split[split] = np.array([places[name] for name in found.names]), found.features
    labels, valid_labels = (data.labels[by_split[split][0]] for split in ("train", "valid"))
    features, valid_features = by_split["train"][1], by_split["valid"][1]
    if not np.isfinite(features).all():
        raise SettingsError(
            "the backbone gives features that are no numbers; choose other --weights"
        )
    probe = fit_linear_probe(
        features,
        labels,
        valid_features,
        valid_labels,
        classes=len(data.classes),
        balanced=balanced,
        check=stop.check,
    )
    monitor.say(f"head: C = {probe.strength:g} of logistic regression, chosen on validation")
    weight, bias = (torch.from_numpy(values).float() for values in (probe.weight, probe.bias))
    set_last_layer(model.network, weight, bias)
    seconds = time.monotonic() - started
    return {
        "epoch": 1,
        "input_size_px": model.standardization.constants.input_size_px,
        "learning_rate": 0.0,
        "train_loss": _loss(probe, features, labels),
        "valid_loss": probe.loss,
        "valid_auroc": probe.score,
        "images_per_second": (len(features) + len(valid_features)) / seconds,
        "seconds": seconds,
    }


def _loss(probe: LinearProbe, features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    logarithms = log_softmax(probe.logits(features), axis=1)
    return -float(logarithms[np.arange(len(labels)), labels].mean())


def _places(split: SplitData) -> dict[str, int]:
    """Each tile's index by its name within the split, or by its whole name where that is not its own."""
    tiles = split.source.tiles
    places = {name_in_split(tiles[index]): index for index in split.indices}
    if len(places) < len(split.indices):
        return {tiles[index].id: index for index in split.indices}
    return places


def _kept(
    split: SplitData,
    places: Mapping[str, int],
    indices: NDArray[np.int64],
    features: NDArray[np.float32],
    unreadable: Sequence[SkippedTile],
) -> KeptFeatures:
    names = {index: name for name, index in places.items()}
    by_id = {split.source.tiles[index].id: name for index, name in names.items()}
    return KeptFeatures(
        [names[index] for index in indices.tolist()],
        features,
        {by_id[tile.id]: tile.reason for tile in unreadable},
    )


def _of_these_tiles(kept: KeptFeatures | None, places: Mapping[str, int]) -> KeptFeatures | None:
    """What was kept, if it is of these tiles, all of them."""
    if kept is None or {*kept.names, *kept.unreadable} != set(places):
        return None
    return kept
