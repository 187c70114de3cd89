"""``run.json``: what ran, with which settings, on which inputs, and how it ended."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, Self

from histocli import __version__
from histocli.atomic_files import parse_json, write_json
from histocli.errors import InputError, SettingsError

RECORD_NAME = "run.json"
RECORDED_PACKAGES = ("torch", "timm", "kornia", "numpy", "scikit-learn", "pillow", "cupy")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def installed_packages() -> dict[str, str]:
    """Versions of the packages that can change a result."""
    found = {}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def current_commit() -> str | None:
    """Commit of histocli's checkout, None for an installed wheel."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return None
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]  # fixed arguments, no shell
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    except OSError:
        return None
    return result.stdout.strip() or None


@dataclass
class RunRecord:
    """Provenance of one output folder.

    Attributes:
        command: ``normalize``, ``qc``, ``train`` …
        settings: The merged settings of that command that change its results.
        inputs: Path and content hash of each input, by role.
        results: What later commands read: counts, figures, names.
        state: ``running`` until the last byte is written.
    """

    command: str
    settings: Mapping[str, Any]
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "cpu"
    state: Literal["running", "done", "stopped"] = "running"
    command_line: list[str] = field(default_factory=lambda: [Path(sys.argv[0]).name, *sys.argv[1:]])
    version: str = __version__
    packages: dict[str, str] = field(default_factory=installed_packages)
    python: str = field(default_factory=platform.python_version)
    platform: str = field(default_factory=platform.platform)
    git_commit: str | None = field(default_factory=current_commit)
    started: str = field(default_factory=_now)
    finished: str | None = None

    def write(self, folder: Path) -> None:
        """Write ``folder/run.json`` atomically."""
        write_json(folder / RECORD_NAME, asdict(self))

    def finish(self, folder: Path, **results: Any) -> None:
        """Record the results and write the final state."""
        self.results.update(results)
        self.state = "done"
        self.finished = _now()
        self.write(folder)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``folder/run.json``.

        Raises:
            InputError: If the file is absent or damaged.
        """
        path = folder / RECORD_NAME
        try:
            content = parse_json(path.read_text())
            return cls(**content)
        except FileNotFoundError:
            raise InputError(
                f"{folder}: not made by histo (it has no {RECORD_NAME}); name a folder that it wrote"
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path}: damaged ({error}); run the command again") from error

    @classmethod
    def read_if_present(cls, folder: Path) -> Self | None:
        """Like ``read``, or None where there is no record."""
        return cls.read(folder) if (folder / RECORD_NAME).is_file() else None

    def check_continues(self, earlier: Self, folder: Path) -> None:
        """Refuse to continue a run that was made with other settings or inputs.

        Raises:
            SettingsError: Naming what differs.
        """
        mine, theirs = asdict(self), asdict(earlier)
        for key in ("command", "settings", "inputs", "seed", "version"):
            if json.loads(json.dumps(mine[key])) != theirs[key]:
                raise SettingsError(
                    f"{folder} was made with another {_difference(key, mine[key], theirs[key])}; "
                    "choose another --output or name, or pass --overwrite"
                )


def _difference(key: str, mine: Any, theirs: Any) -> str:
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for name in sorted({*mine, *theirs}):
            ours, other = json.dumps(mine.get(name)), json.dumps(theirs.get(name))
            if ours != other:
                return f"{key}: {name} was {other}, now {ours}"
    return f"{key}: was {theirs!r}, now {mine!r}"
