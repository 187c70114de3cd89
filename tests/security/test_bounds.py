"""No lower bound of a dependency lets in a release with a vulnerability that is published."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
# The first release without it, and what it is. Add a line for each new advisory, and raise the bound.
ADVISORIES = [
    ("torch", "2.6", "CVE-2025-32434: weights_only executes code"),
    ("torch", "2.10", "CVE-2026-24747: weights_only corrupts the heap"),
    ("pillow", "10.3", "CVE-2024-28219: overflow of a buffer"),
    ("pillow", "11.3", "CVE-2025-48379: overflow of the heap, DDS"),
    ("pillow", "12.1.1", "CVE-2026-25990: write out of bounds, PSD"),
    ("pyarrow", "14.0.1", "CVE-2023-47248: a parquet file executes code"),
    ("jinja2", "3.1.6", "CVE-2025-27516: escape from the sandbox"),
    ("filelock", "3.20.1", "CVE-2025-68146: a lock that is a link truncates its target"),
    ("filelock", "3.20.3", "CVE-2026-22701: the same of another kind of lock"),
]


def bounds() -> dict[str, Requirement]:
    project = tomllib.loads(PROJECT.read_text())["project"]
    found = [Requirement(each) for each in project["dependencies"]]
    return {each.name: each for each in found}


@pytest.mark.parametrize(("name", "fixed", "what"), ADVISORIES, ids=[a[2][:14] for a in ADVISORIES])
def test_a_bound_excludes_what_an_advisory_names(name: str, fixed: str, what: str) -> None:
    requirement = bounds()[name]
    lowest = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
    assert lowest
    assert lowest[0] >= Version(fixed), what
    assert Version(version(name)) >= Version(fixed), what


def test_every_dependency_has_a_lower_bound() -> None:
    without = [
        name
        for name, requirement in bounds().items()
        if not any(each.operator in (">=", "==", "~=") for each in requirement.specifier)
    ]
    assert without == []
