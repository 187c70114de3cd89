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
from typing import Any, Literal, Self, get_args

from histocli import __version__
from histocli.atomic_files import parse_json, write_json
from histocli.errors import InputError, SettingsError

RECORD_NAME = "run.json"
State = Literal["running", "done", "stopped"]
# What is read must be of these types, whoever wrote it; in each input, where it is stated at all.
TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("command", "device", "state", "version", "python", "platform", "started"), (str,)
    ),
    **dict.fromkeys(("settings", "inputs", "results", "packages"), (dict,)),
    **dict.fromkeys(("git_commit", "finished"), (str, type(None))),
    "seed": (int,),
    "command_line": (list,),
}
TYPES_OF_INPUTS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("path", "sha256", "layout"), (str, type(None))),
    "slides": (dict, type(None)),
}
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


class _Part(dict[str, Any]):
    """A part of a record as it was read: what is lacking there is named, with the file."""

    path = Path(RECORD_NAME)

    def __missing__(self, key: str) -> Any:
        raise InputError(f"{self.path}: damaged (it lacks {key}); run the command again")


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
    state: State = "running"
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
            InputError: If the file is absent or damaged; so does asking its inputs or results for what
                they lack.
        """
        path = folder / RECORD_NAME
        try:
            return cls(**_checked(parse_json(path.read_text()), path))
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


def _checked(content: Any, path: Path) -> dict[str, Any]:
    """The fields of a record.

    Raises:
        TypeError: If one is of another type than histo writes.
        ValueError: If its state is unknown.
    """
    if not isinstance(content, dict):
        raise TypeError("it is no JSON object")
    _check_types(content, TYPES, "")
    if content.get("state", "done") not in get_args(State):
        raise ValueError("its state is unknown")
    parts = {}
    for role, facts in content.get("inputs", {}).items():
        if not isinstance(facts, dict):
            raise TypeError(f"the input {role} is no JSON object")
        _check_types(facts, TYPES_OF_INPUTS, f"the input {role}: ")
        parts[role] = _part(facts, path)
    results = _part(content.get("results", {}), path)
    return {**content, "inputs": _part(parts, path), "results": results}


def _check_types(
    content: Mapping[str, Any], types: Mapping[str, tuple[type, ...]], where: str
) -> None:
    for name, wanted in types.items():
        # True is an int to Python.
        value = content.get(name)
        if name in content and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise TypeError(f"{where}{name} must not be of the type {type(value).__name__}")


def _part(content: Mapping[str, Any], path: Path) -> _Part:
    part = _Part(content)
    part.path = path
    return part


def _difference(key: str, mine: Any, theirs: Any) -> str:
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for name in sorted({*mine, *theirs}):
            ours, other = json.dumps(mine.get(name)), json.dumps(theirs.get(name))
            if ours != other:
                return f"{key}: {name} was {other}, now {ours}"
    return f"{key}: was {theirs!r}, now {mine!r}"
