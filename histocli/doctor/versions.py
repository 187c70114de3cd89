"""Versions of Python and of the packages that histocli needs."""

import platform
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from histocli import __version__
from histocli.doctor.finding import Finding, ok, problem

if TYPE_CHECKING:
    from packaging.requirements import Requirement

SHOWN = ("torch", "torchvision", "timm", "kornia", "numpy", "numba", "pillow")


def check_versions(folder: Path) -> list[Finding]:
    """Every requirement of the installed package, and the versions of those that matter most."""
    del folder
    from packaging.requirements import Requirement

    here = f"histocli {__version__}, Python {platform.python_version()}, {platform.platform()}"
    try:
        needed = [Requirement(line) for line in requires("histocli") or []]
    except PackageNotFoundError:
        return [problem("histocli", f"{here}; not installed", "pip install . in its checkout")]
    core = [each for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
    broken = [finding for each in core for finding in unmet(each)]
    shown = ", ".join(f"{each.name} {version(each.name)}" for each in core if _is_shown(each))
    return [ok("histocli", here), *broken, *([] if broken else [ok("packages", shown)])]


def unmet(requirement: "Requirement") -> list[Finding]:
    """A problem if a requirement is not met; nothing if it is."""
    install = f"pip install '{requirement.name}{requirement.specifier}'"
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return [problem(requirement.name, "not installed", install)]
    if requirement.specifier.contains(installed, prereleases=True):
        return []
    found = f"{installed} is installed, {requirement.specifier} is needed"
    return [problem(requirement.name, found, install)]


def _is_shown(requirement: "Requirement") -> bool:
    return requirement.name in SHOWN
