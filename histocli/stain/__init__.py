"""Stain estimation and normalisation: one definition of the maths, for every command and device."""

from histocli.stain.batches import NormalizedTiles
from histocli.stain.color_reference import ColorReference
from histocli.stain.context import EstimateSource
from histocli.stain.macenko_normalizer import MacenkoNormalizer
from histocli.stain.reference import PUBLISHED_REFERENCE, StainReference
from histocli.stain.reinhard_normalizer import ReinhardNormalizer
from histocli.stain.status import StainStatus
from histocli.stain.vahadane_normalizer import VahadaneNormalizer

__all__ = [
    "PUBLISHED_REFERENCE",
    "ColorReference",
    "EstimateSource",
    "MacenkoNormalizer",
    "NormalizedTiles",
    "ReinhardNormalizer",
    "StainReference",
    "StainStatus",
    "VahadaneNormalizer",
]
