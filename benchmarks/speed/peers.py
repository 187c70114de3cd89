"""Each body of ours and each package, as a function that normalizes a batch."""

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from speed.contestants import Contestant, Normalize, Tiles

HEMATOXYLIN_EOSIN = ((0.5626, 0.2159), (0.7201, 0.8012), (0.4062, 0.5581))
MAXIMUM_CONCENTRATIONS = (1.9705, 1.0308)


def body(backend: str) -> Callable[[str, bool], Normalize]:
    """A body of ours, whose result is whole: uint8 tiles, and a status for each."""

    def opened(_device: str, _compiled: bool) -> Normalize:
        from histocli.stain import MacenkoNormalizer

        normalizer = MacenkoNormalizer(backend=backend)
        return lambda tiles: normalizer.normalize(tiles).tiles

    return opened


def torchstain_numpy(_device: str, _compiled: bool) -> Normalize:
    """Its default reference is the published one."""
    package = importlib.import_module("torchstain")
    normalizer = package.normalizers.MacenkoNormalizer(backend="numpy")
    return lambda tiles: normalizer.normalize(tiles[0], stains=False)[0][None]


def torchstain_torch(device: str, _compiled: bool) -> Normalize:
    """On a GPU its reference has to be moved there by hand."""
    package = importlib.import_module("torchstain")
    normalizer = package.normalizers.MacenkoNormalizer(backend="torch")
    normalizer.HERef = normalizer.HERef.to(device)
    normalizer.maxCRef = normalizer.maxCRef.to(device)
    return lambda tiles: normalizer.normalize(tiles[0], stains=False)[0][None]


def stainx_torch(device: str, _compiled: bool) -> Normalize:
    """The body behind stainx.Macenko, which can be given a reference where that only fits one."""
    backend = importlib.import_module("stainx.backends.torch_backend").MacenkoTorch(device)
    reference = published_tensors(device)
    return lambda tiles: backend.transform(tiles, *reference)


def stainx_cuda(precision: str) -> Callable[[str, bool], Normalize]:
    """The compiled extension; ``fast`` computes in half precision."""

    def opened(device: str, _compiled: bool) -> Normalize:
        module = importlib.import_module("stainx.backends.torch_cuda_backend")
        backend, reference = module.MacenkoCUDA(device, precision), published_tensors(device)
        return lambda tiles: backend.transform(tiles, *reference)

    return opened


def torch_staintools(device: str, compiled: bool) -> Normalize:
    """Defaults, the reference put into its buffers; what it logs of errors is not shown."""
    package = importlib.import_module("torch_staintools.normalizer")
    config = importlib.import_module("torch_staintools.constants").CONFIG
    normalizer = package.NormalizerBuilder.build("macenko", device=device)
    matrix, maxima = published_tensors(device)
    normalizer.register_buffer("stain_matrix_target", matrix.T[None].contiguous())
    normalizer.register_buffer("maxC_target", maxima[None])

    def normalize(tiles: Any) -> Any:
        config.ENABLE_COMPILE = compiled
        return normalizer(tiles)

    return normalize


def cucim(_device: str, _compiled: bool) -> Normalize:
    """Its default reference is the published one; one image at a time."""
    color = importlib.import_module("cucim.core.operations.color")
    return lambda tiles: color.normalize_colors_pca(tiles[0])[None]


def published_tensors(device: str) -> tuple[Any, Any]:
    """The published reference, which torchstain, cucim and ours have built in."""
    torch = importlib.import_module("torch")
    pair = (torch.tensor(HEMATOXYLIN_EOSIN), torch.tensor(MAXIMUM_CONCENTRATIONS))
    return pair[0].to(device), pair[1].to(device)


def contestants() -> list[Contestant]:
    """Ours first; the first of each package's rows is its plainest."""
    ours: dict[str, Any] = {"package": "histocli", "whole": True}
    cpu: dict[str, Any] = {**ours, "open": body("cpu"), "form": "arrays", "devices": ("cpu",)}
    extension = ("stainx", "stainx_cuda_torch.stainx_cuda_torch")
    on_gpu: dict[str, Any] = {"package": "stainx", "form": "tensors", "devices": ("cuda",)}
    one: dict[str, Any] = {"batched": False, "modules": ("torchstain",), "channels_last": True}
    return [
        Contestant(
            name="histocli cuda",
            form="tensors",
            open=body("cuda"),
            devices=("cuda",),
            modules=("cupy",),
            threads="all",
            **ours,
        ),
        Contestant(name="histocli cpu, all threads", threads="all", **cpu),
        Contestant(name="histocli cpu, 1 thread", threads="one", **cpu),
        Contestant(name="histocli torch", form="tensors", open=body("torch"), **ours),
        Contestant(
            name="histocli numpy, float64",
            form="arrays",
            open=body("numpy"),
            devices=("cpu",),
            **ours,
        ),
        Contestant("torchstain numpy", "torchstain", "images", torchstain_numpy, ("cpu",), **one),
        Contestant("torchstain torch", "torchstain", "tensors", torchstain_torch, **one),
        Contestant("stainx torch", "stainx", "tensors", stainx_torch, modules=("stainx",)),
        Contestant("stainx extension", open=stainx_cuda("stable"), modules=extension, **on_gpu),
        Contestant("stainx extension, fast", open=stainx_cuda("fast"), modules=extension, **on_gpu),
        Contestant(
            "torch-staintools",
            "torch-staintools",
            "floats",
            torch_staintools,
            modules=("torch_staintools",),
            compiles=True,
        ),
        Contestant("cucim", "cucim", "cupy", cucim, ("cuda",), ("cupy", "cucim"), batched=False),
    ]


def as_tensors(tiles: Tiles, device: str) -> Any:
    """As torch has it."""
    return importlib.import_module("torch").from_numpy(tiles).to(device)


FORMS: Mapping[str, Callable[[Tiles, str], Any]] = {
    "arrays": lambda tiles, _device: tiles,
    "images": lambda tiles, _device: np.ascontiguousarray(tiles.transpose(0, 2, 3, 1)),
    "tensors": as_tensors,
    "floats": lambda tiles, device: as_tensors(tiles, device).float() / 255,
    "cupy": lambda tiles, _device: importlib.import_module("cupy").asarray(tiles),
}
