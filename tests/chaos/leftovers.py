"""What commands left in their folders, and how it differs from what it should be."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Of run.json and other records: times, and what was asked for, may differ between runs of the same work.
VOLATILE = ("started", "finished", "command_line", "git_commit", "seconds", "images_per_second")
# What a training writes again and again.
REPLACED = frozenset(
    {
        "run.json", "last.json", "last.safetensors", "best_model.json", "best_model.safetensors",
        "history.csv", "training_history.png", "validation.csv",
    }
)  # fmt: skip


def results(folder: Path) -> dict[str, Any]:
    """What lies in the folders of results, without what may differ."""
    found = {}
    for top in ("out", "runs"):
        for path in sorted((folder / top).rglob("*")):
            if path.is_file() and path.suffix != ".lock":
                name = path.relative_to(folder).as_posix()
                found[name] = _comparable(path)
    return found


def half_written(
    found: Mapping[str, Any], before: Mapping[str, Any], whole: Mapping[str, Any]
) -> list[str]:
    """Files under a final name that neither were there nor are a whole result.

    What a training replaces while it goes on (its state, best model, history) differs from the end, but
    can be read: the command given again reads it.
    """
    return [
        name
        for name, content in found.items()
        if not any(part.startswith(".") for part in Path(name).parts)
        and Path(name).name not in REPLACED
        and content not in (before.get(name), whole.get(name))
    ]


def differences(found: Mapping[str, Any], whole: Mapping[str, Any]) -> list[str]:
    """Files that are missing, left over or other than those of an undisturbed command."""
    return [
        f"{name}: {'missing' if name not in found else 'left over' if name not in whole else 'differs'}"
        for name in sorted({*found, *whole})
        if found.get(name) != whole.get(name)
    ]


def _comparable(path: Path) -> Any:
    """Content of a file; of JSON and the history without times."""
    if path.suffix == ".json":
        return _without_times(json.loads(path.read_text()))
    if path.name == "last.safetensors":
        content = path.read_bytes()
        size = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:size])
        progress = json.loads(header.pop("__metadata__")["progress"])
        return header, _without_times(progress), content[size:]
    if path.name == "history.csv":
        return [line.split(",")[:6] for line in path.read_text().splitlines()]
    return path.read_bytes()


def _without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {k: _without_times(v) for k, v in content.items() if k not in VOLATILE}
    if isinstance(content, list):
        return [_without_times(each) for each in content]
    return content
