"""A physical H&E phantom whose stains, nuclei and labels are known: the truth of the tests."""

from histocli.data.phantom_folder import PhantomTask, write_phantom
from histocli.data.phantom_optics import PHANTOM_SCANNERS, Scanner
from histocli.data.phantom_tiles import PhantomKind, PhantomTile, center_square, phantom_tile

__all__ = [
    "PHANTOM_SCANNERS",
    "PhantomKind",
    "PhantomTask",
    "PhantomTile",
    "Scanner",
    "center_square",
    "phantom_tile",
    "write_phantom",
]
