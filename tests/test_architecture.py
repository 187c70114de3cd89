"""The directions of import, and what a start of the command line may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "histocli"
FILES = sorted(PACKAGE.rglob("*.py"))
# The last of them time the stages of any long job, keep it within a device's memory and count; they import
# nothing of the package.
ANYWHERE = {
    *{"errors", "run_record", "predictions", "atomic_files", "__init__"},
    *{"stage_clock", "device_memory", "allocation", "plurals"},
}
ALLOWED = {
    "__main__": {"cli"},
    # What Python users call; imported when it is called.
    "__init__": {"data", "models"},
    "cli": {
        "settings",
        "settings_sources",
        "data",
        "stain",
        "preparation",
        "qc",
        "models",
        "training",
        "metrics",
        "explain",
        "report",
        # Runs what any command gives it; only commands know what that is.
        "scaling",
        "doctor",
        "bench",
    },
    # Both look at every step of the work from outside: whether it works here, and how fast.
    "doctor": {"models", "stain"},
    "bench": {"models", "data", "stain", "preparation", "training"},
    "scaling": {"data"},
    "report": {"metrics"},
    "explain": {"models", "data", "stain", "metrics"},
    "training": {"models", "data", "stain", "metrics"},
    "preparation": {"data", "stain"},
    "qc": {"data", "stain"},
    "models": {"stain"},
    "data": set(),
    "stain": set(),
    "metrics": set(),
    "settings": set(),
    "settings_sources": {"settings"},
    "schemas": set(),
}
HEAVY = {"torch", "timm", "kornia", "sklearn", "scipy", "matplotlib", "cupy", "numpy", "PIL"}


def layer_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imported_layers(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "histocli":
                found.add(parts[1] if len(parts) > 1 else "__init__")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_directions_of_the_design(path: Path) -> None:
    layer = layer_of(path)
    allowed = ALLOWED.get(layer, set()) | ANYWHERE | {layer}
    assert imported_layers(path) <= allowed


@pytest.mark.parametrize("layer", ["metrics", "report"])
def test_numbers_and_pages_need_no_torch(layer: str) -> None:
    for path in sorted((PACKAGE / layer).rglob("*.py")):
        assert "import torch" not in path.read_text(), path


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not {path.stem for path in FILES} & {"utils", "helpers", "common", "misc"}


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from histocli.cli.app import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"loaded = {HEAVY!r} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
