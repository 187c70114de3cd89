"""Stain estimation and normalisation: one definition of the maths, for every command and device."""

from histocli.stain.normalizer import MacenkoNormalizer, NormalizedTiles
from histocli.stain.reference import PUBLISHED_REFERENCE, StainReference
from histocli.stain.status import StainStatus

__all__ = [
    "PUBLISHED_REFERENCE",
    "MacenkoNormalizer",
    "NormalizedTiles",
    "StainReference",
    "StainStatus",
]
