"""The wheel holds what the commands read, and the project files agree with one another."""

import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest

import histocli

ROOT = Path(__file__).resolve().parents[1]


def test_files_that_are_read_at_run_time_are_in_the_package() -> None:
    assert (resources.files("histocli.report") / "template.html").is_file()
    for name in ("metrics", "qc", "attention"):
        assert (resources.files("histocli") / "schemas" / f"{name}.schema.json").is_file()
    assert (resources.files("histocli") / "py.typed").is_file()


def test_every_bound_has_a_reason_above_it() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    inside = False
    for number, line in enumerate(lines):
        if re.match(r"^(dependencies|requires|[\w-]+) = \[$", line):
            inside = line.split(" ")[0] in (
                "dependencies",
                "gpu",
                "gpu-cu13",
                "offline-weights",
                "dev",
            )
        if line == "]":
            inside = False
        if inside and re.match(r'^    "[\w-]+.*[<>=]', line):
            above = lines[number - 1]
            sibling = re.match(r'^    "nvidia-.*', above)
            assert above.strip().startswith("#") or sibling, line


def test_changelog_names_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert f"## [{histocli.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "docs/stain.md"])
def test_links_of_the_documents_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert ((ROOT / name).parent / target).exists(), target


@pytest.mark.parametrize(
    ("command", "document"),
    [
        (["readme_table.py"], "README.md"),
        (["stain_speed.py", "--table"], "README.md"),
        (["stain_shift.py", "--table"], "docs/stain.md"),
        (["load.py", "--table"], "docs/reliability.md"),
        (["ablation.py", "pcam", "--table"], "docs/training.md"),
        (["ablation.py", "pcam", "--arch", "resnet50", "--table"], "docs/training.md"),
        (["training_peers.py", "--table"], "README.md"),
        (["export_agreement.py", "--table"], "docs/models.md"),
    ],
)
def test_measured_figures_in_the_documents_are_those_of_the_results(
    command: list[str], document: str
) -> None:
    script = [sys.executable, str(ROOT / "benchmarks" / command[0]), *command[1:]]
    printed = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    assert printed.strip() in (ROOT / document).read_text()
