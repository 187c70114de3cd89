"""Classifiers of tiles: architectures, weights, preprocessing, checkpoints."""
