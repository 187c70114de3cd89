"""Every example in the documents and docstrings gives what it says."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import histocli
from histocli.data.phantom import write_phantom
from histocli.models.checkpoint import save_model
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "histocli"
WITH_EXAMPLES = sorted(path for path in PACKAGE.rglob("*.py") if ">>>" in path.read_text())


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/ and runs/demo; the model has not been trained, which no example shows."""
    folder = tmp_path_factory.mktemp("workplace")
    write_phantom(folder / "data", tiles=60)
    constants = PreprocessingConstants(32, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    classes = ("normal", "tumor")
    card = ModelCard(
        "test_efficientnet", classes, "tumor", constants, operating_point={"threshold": 0.4}
    )
    torch.manual_seed(0)
    save_model(folder / "runs" / "demo", TileClassifier(card), card)
    return folder


@pytest.fixture(autouse=True)
def in_workplace(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)


def test_the_page_on_python_gives_what_it_says() -> None:
    page = ROOT / "docs" / "python.md"
    outcome = doctest.testfile(str(page), module_relative=False)
    assert outcome.attempted > 10
    assert not outcome.failed


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_docstrings_give_what_they_say(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted
    assert not outcome.failed


def test_the_python_of_the_readme_runs() -> None:
    blocks = (ROOT / "README.md").read_text().split("```python\n")[1:]
    assert blocks
    for block in blocks:
        code = block.partition("```")[0]
        subprocess.run([sys.executable, "-c", code], check=True)


def test_paths_may_be_strings() -> None:
    assert len(histocli.open_tiles("data").tiles) == len(histocli.open_tiles(Path("data")).tiles)
    assert histocli.load_model("runs/demo")[1] == histocli.load_model(Path("runs/demo"))[1]


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, histocli\n"
        "assert histocli.load_model and histocli.open_tiles\n"
        "loaded = {'torch', 'numpy', 'PIL', 'timm'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
