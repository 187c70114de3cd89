"""How fast each step of the work is on this machine, and which one the others wait for."""

from histocli.bench.bottleneck import Bottleneck, find_bottleneck
from histocli.bench.material import (
    Material,
    read_material,
    scratch_folder,
    write_phantom_tiles,
)
from histocli.bench.measuring import Rate, measure
from histocli.bench.stage import Stage
from histocli.bench.stages import make_stages

__all__ = [
    "Bottleneck",
    "Material",
    "Rate",
    "Stage",
    "find_bottleneck",
    "make_stages",
    "measure",
    "read_material",
    "scratch_folder",
    "write_phantom_tiles",
]
