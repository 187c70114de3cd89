"""Optional packages: those that are installed have to load."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from histocli.doctor.finding import Finding, note, ok, problem

# By extra: the modules that it brings, and what for.
EXTRAS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "slides": (("openslide",), "whole slides"),
    "export": (("onnx", "onnxscript", "onnxruntime"), "histo export to ONNX"),
    "dask": (("distributed",), "--scheduler"),
    "tensorboard": (("tensorboard",), "histo train --tensorboard"),
}


def check_extras(folder: Path) -> list[Finding]:
    """Load what is installed of each extra."""
    del folder
    return [loaded(extra, modules, purpose) for extra, (modules, purpose) in EXTRAS.items()]


def loaded(extra: str, modules: tuple[str, ...], purpose: str) -> Finding:
    """Whether an extra is installed and loads."""
    install = f"pip install 'histocli[{extra}]'"
    if any(find_spec(module) is None for module in modules):
        return note(extra, f"not installed; needed for {purpose}", install)
    try:
        for module in modules:
            import_module(module)
    except (ImportError, OSError) as error:
        return problem(extra, f"installed, and does not load ({error})", install)
    return ok(extra, purpose)
