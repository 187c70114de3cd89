"""One damaged input after another, read by a process that may die of it, and judged."""

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from histocli.data.index import Entry, compare, index_entries, read_index, write_index
from histocli.data.layouts import open_source
from tests.chaos.specimens import MakeSpecimen, Specimen, describe

LONGEST_SECONDS = 5.0
# The limit above is processor time; a process that only waits, or gets none, is given up after this.
PATIENCE_SECONDS = 180.0
MOST_GROWTH = 2**30


class Victim:
    """A process that reads; begun again when it dies or has to be stopped."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def read(self, specimen: Specimen) -> dict[str, Any]:
        """What the process says, or how it ended."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("victim.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the victim has pipes")
        try:
            process.stdin.write(describe(specimen) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return self._ended(process)
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE_SECONDS)
        if not ready:
            self.stop()
            return {"outcome": "hang", "message": f"no answer in {PATIENCE_SECONDS:.0f} s"}
        line = process.stdout.readline()
        return json.loads(line) if line else self._ended(process)

    def _ended(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        code = process.wait()
        self.stop()
        return {"outcome": "crash", "message": f"the process ended with {code}"}

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


class Trials:
    """Sound inputs, each made once; copies of them with other content.

    Args:
        victim: Reads them.
        folder: Where they lie.
        makers: By kind.
    """

    def __init__(self, victim: Victim, folder: Path, makers: Mapping[str, MakeSpecimen]) -> None:
        self._victim, self._folder, self._makers = victim, folder, makers
        self._sound: dict[str, tuple[Specimen, dict[str, Any]]] = {}

    def content(self, kind: str) -> bytes:
        """Of the file that is to be damaged."""
        return self._of(kind)[0].main.read_bytes()

    def read(self, kind: str, damaged: bytes, *, cut: bool) -> tuple[str, str | None]:
        """Read a copy with other content.

        Args:
            kind: Of the input.
            damaged: The content.
            cut: The file is a part of the sound one: no image may be read from it.

        Returns:
            The outcome in a word or two, and what is wrong with it.
        """
        master, sound = self._of(kind)
        folder = self._folder / "damaged"
        shutil.copytree(self._folder / kind, folder)
        try:
            places = [
                folder / p.relative_to(self._folder / kind) for p in (master.path, master.main)
            ]
            specimen = replace(master, path=places[0], main=places[1])
            specimen.main.write_bytes(damaged)
            answer = self._victim.read(specimen)
            outcome, failure = judge(specimen, answer, sound, cut=cut and specimen.holds_pixels)
            if outcome == "other content" and failure is None:
                failure = _hidden(self._folder / f"{kind}.csv", specimen)
        finally:
            shutil.rmtree(folder)
        return outcome, failure

    def _of(self, kind: str) -> tuple[Specimen, dict[str, Any]]:
        if kind not in self._sound:
            master = self._makers[kind](self._folder / kind)
            answer = self._victim.read(master)
            if answer["outcome"] != "read":
                raise AssertionError(f"{kind} is not sound: {answer}")
            if master.reads == "tiles":
                write_index(self._folder / f"{kind}.csv", _entries(master.path))
            self._sound[kind] = master, answer
        return self._sound[kind]


def judge(
    specimen: Specimen, answer: Mapping[str, Any], sound: Mapping[str, Any], *, cut: bool
) -> tuple[str, str | None]:
    """The outcome in a word or two, and what is wrong with it."""
    outcome = str(answer["outcome"])
    if answer.get("seconds", 0) > LONGEST_SECONDS:
        return "slow", f"{answer['seconds']:.1f} s of processor time"
    if answer.get("largest_bytes", 0) - sound["largest_bytes"] > MOST_GROWTH:
        return "large", f"{answer['largest_bytes'] / 2**30:.1f} GiB"
    if outcome == "refused":
        return outcome, _refusal(specimen, answer)
    if outcome != "read":
        return outcome, f"{answer['message']} {answer.get('where', '')}"
    return (
        _reading(specimen, answer, sound, cut=cut) if specimen.reads == "tiles" else ("read", None)
    )


def _refusal(specimen: Specimen, answer: Mapping[str, Any]) -> str | None:
    """What is wrong with a refusal."""
    if answer["exit_code"] not in (2, 3):
        return f"exit code {answer['exit_code']}: {answer['message']}"
    named = specimen.main.name in answer["message"] or specimen.path.name in answer["message"]
    return None if named else f"names no file: {answer['message']}"


def _reading(
    specimen: Specimen, answer: Mapping[str, Any], sound: Mapping[str, Any], *, cut: bool
) -> tuple[str, str | None]:
    """What tiles were read as, and what is wrong with that."""
    unreadable: list[str] = answer["unreadable"]
    names = (specimen.main.name, specimen.path.name)
    unnamed = [message for message in unreadable if not any(name in message for name in names)]
    if unnamed:
        return "tile refused", f"names no file: {unnamed[0]}"
    if any(sound["pixels"].get(tile) != pixels for tile, pixels in answer["pixels"].items()):
        return "other content", "a truncated image was accepted" if cut else None
    return ("tile refused" if unreadable else "same content"), None


def _entries(path: Path) -> Iterator[Entry]:
    return index_entries(open_source(path), workers=1)


def _hidden(index: Path, specimen: Specimen) -> str | None:
    """What is wrong if the checksums of the sound files do not name the damaged one."""
    changed = compare(read_index(index), _entries(specimen.path)).changed
    found = any(specimen.main.name in name for name in changed)
    return None if found else f"the index names {changed or 'nothing'}, not {specimen.main.name}"
