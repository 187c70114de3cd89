"""Damaged inputs of every kind, generated from a seed, and what became of each.

Promise: no crash, no hang, no memory beyond bounds. An input is refused by name with exit code 2 or 3, or
the damaged tile is, or what was read is what was written, or the checksums of `histo data index` show the
change. A truncated image is never accepted with other pixels.
"""

import collections
import json
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from histocli.data.index import Entry, compare, index_entries, read_index, write_index
from histocli.data.layouts import open_source
from tests.chaos.mutations import MUTATIONS
from tests.chaos.specimens import SPECIMENS, Specimen, describe

LONGEST_SECONDS = 5.0
# The limit above is processor time; a process that only waits, or gets none, is given up after this.
PATIENCE_SECONDS = 180.0
MOST_GROWTH = 2**30


@dataclass(frozen=True)
class Case:
    """One damaged input."""

    kind: str
    mutation: str
    seed: int


@dataclass
class Findings:
    """What became of the cases.

    Attributes:
        outcomes: How often each, by kind.
        failures: Cases that broke the promise, and how.
        rotten: Cases that were read with other content: only checksums show them.
    """

    outcomes: dict[str, collections.Counter[str]] = field(default_factory=dict)
    failures: list[tuple[Case, str]] = field(default_factory=list)
    rotten: list[Case] = field(default_factory=list)


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


def cases(count: int, seed: int) -> list[Case]:
    """Every kind with every mutation in turn, as many as asked for."""
    pairs = [(kind, mutation) for kind in SPECIMENS for mutation in MUTATIONS]
    return [Case(*pairs[n % len(pairs)], seed=seed * 1_000_003 + n) for n in range(count)]


def run(chosen: Iterable[Case]) -> Findings:
    """Damage, read, judge."""
    findings = Findings()
    sound: dict[str, dict[str, Any]] = {}
    with Victim() as victim, tempfile.TemporaryDirectory(prefix="histo-chaos-") as temporary:
        masters = Path(temporary) / "sound"
        for case in chosen:
            if case.kind not in sound:
                master = SPECIMENS[case.kind](masters / case.kind)
                sound[case.kind] = victim.read(master)
                if sound[case.kind]["outcome"] != "read":
                    raise AssertionError(f"{case.kind} is not sound: {sound[case.kind]}")
                if master.reads == "tiles":
                    write_index(masters / f"{case.kind}.csv", _entries(master.path))
            folder = Path(temporary) / "damaged"
            shutil.copytree(masters / case.kind, folder)
            specimen = _moved(case.kind, masters / case.kind, folder)
            content = specimen.main.read_bytes()
            damaged = MUTATIONS[case.mutation](content, random.Random(case.seed))
            specimen.main.write_bytes(damaged)
            answer = victim.read(specimen)
            outcome, failure = judge(case, specimen, answer, sound[case.kind])
            if outcome == "other content" and failure is None:
                failure = _hidden(masters / f"{case.kind}.csv", specimen)
            if damaged == content:
                outcome, failure = "unchanged", None
            findings.outcomes.setdefault(case.kind, collections.Counter())[outcome] += 1
            if failure:
                findings.failures.append((case, failure))
            if outcome == "other content":
                findings.rotten.append(case)
            shutil.rmtree(folder)
    return findings


def judge(
    case: Case, specimen: Specimen, answer: Mapping[str, Any], sound: Mapping[str, Any]
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
    return _reading(case, specimen, answer, sound) if specimen.reads == "tiles" else ("read", None)


def _refusal(specimen: Specimen, answer: Mapping[str, Any]) -> str | None:
    """What is wrong with a refusal."""
    if answer["exit_code"] not in (2, 3):
        return f"exit code {answer['exit_code']}: {answer['message']}"
    named = specimen.main.name in answer["message"] or specimen.path.name in answer["message"]
    return None if named else f"names no file: {answer['message']}"


def _reading(
    case: Case, specimen: Specimen, answer: Mapping[str, Any], sound: Mapping[str, Any]
) -> tuple[str, str | None]:
    """What tiles were read as, and what is wrong with that."""
    unreadable: list[str] = answer["unreadable"]
    names = (specimen.main.name, specimen.path.name)
    unnamed = [message for message in unreadable if not any(name in message for name in names)]
    if unnamed:
        return "tile refused", f"names no file: {unnamed[0]}"
    if any(sound["pixels"].get(tile) != pixels for tile, pixels in answer["pixels"].items()):
        cut = case.mutation in ("truncate", "empty") and specimen.is_image
        return "other content", "a truncated image was accepted" if cut else None
    return ("tile refused" if unreadable else "same content"), None


def _entries(path: Path) -> Iterator[Entry]:
    return index_entries(open_source(path), workers=1)


def _hidden(index: Path, specimen: Specimen) -> str | None:
    """What is wrong if the checksums of the sound files do not name the damaged one."""
    changed = compare(read_index(index), _entries(specimen.path)).changed
    found = any(specimen.main.name in name for name in changed)
    return None if found else f"the index names {changed or 'nothing'}, not {specimen.main.name}"


def _moved(kind: str, master: Path, folder: Path) -> Specimen:
    """The specimen in a copy of its folder."""
    with tempfile.TemporaryDirectory() as other:
        fresh = SPECIMENS[kind](Path(other) / kind)
        root = Path(other) / kind
        del master
        return Specimen(
            folder / fresh.path.relative_to(root),
            folder / fresh.main.relative_to(root),
            fresh.reads,
            fresh.is_image,
        )


def table(findings: Findings) -> str:
    """One line a kind."""
    columns = sorted({name for counts in findings.outcomes.values() for name in counts})
    failed = collections.Counter(case.kind for case, _ in findings.failures)
    lines = ["| input | cases | " + " | ".join(columns) + " | failures |"]
    lines.append("|---" * (len(columns) + 3) + "|")
    for kind, counts in findings.outcomes.items():
        cells = [str(counts[name]) for name in columns]
        lines.append(f"| {kind} | {sum(counts.values())} | {' | '.join(cells)} | {failed[kind]} |")
    return "\n".join(lines)
