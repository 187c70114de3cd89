"""Macenko's normalisation by each body that this machine has."""

from collections.abc import Mapping

from histocli.bench.material import Material
from histocli.bench.stage import Stage
from histocli.preparation.setup import placement
from histocli.stain import MacenkoNormalizer
from histocli.stain.arrays import to_numpy
from histocli.stain.backends import automatic_backend

# What a body is the same as, for who does not know its name.
BODIES: Mapping[str, str] = {
    "cpu": "compiled loops",
    "cuda": "CuPy kernels",
    "torch": "array library",
    "numpy": "the definition",
}


def stain_stages(material: Material, device: str) -> list[Stage]:
    """One stage for each body; that which `histo normalize` would choose counts as its stage.

    Args:
        material: The tiles.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """
    chosen = automatic_backend(device.partition(":")[0])
    names = ["cpu", "torch", "numpy"]
    if chosen == "cuda":
        names.insert(0, "cuda")
    return [_stage(name, material, device, is_chosen=name == chosen) for name in names]


def _stage(name: str, material: Material, device: str, *, is_chosen: bool) -> Stage:
    where = "cpu" if name in ("cpu", "numpy") else device
    _, place = placement(where, name)
    normalizer = MacenkoNormalizer(backend=name)
    # The definition is slow: a part of the tiles says as much.
    batches = material.batches[:1] if name == "numpy" else material.batches

    def normalize() -> None:
        for batch in batches:
            # Reading the result waits for the device.
            to_numpy(normalizer.normalize(place(batch)).tiles)

    return Stage(
        "stain" if is_chosen else f"stain by {name}",
        BODIES[name] if where == "cpu" else f"{BODIES[name]}, {where}",
        ("normalize",) if is_chosen else (),
        sum(len(batch) for batch in batches),
        normalize,
    )
