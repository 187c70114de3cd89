"""Damaged inputs of every kind, generated from a seed, and what became of each.

Promise: no crash, no hang, no memory beyond bounds. An input is refused by name with exit code 2 or 3, or
the damaged tile is, or what was read is what was written, or the checksums of `histo data index` show the
change. A truncated image is never accepted with other pixels.
"""

import collections
import random
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.mutations import MUTATIONS
from tests.chaos.specimens import SPECIMENS
from tests.chaos.trials import Trials, Victim


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


def cases(count: int, seed: int) -> list[Case]:
    """Every kind with every mutation in turn, as many as asked for."""
    pairs = [(kind, mutation) for kind in SPECIMENS for mutation in MUTATIONS]
    return [Case(*pairs[n % len(pairs)], seed=seed * 1_000_003 + n) for n in range(count)]


def run(chosen: Iterable[Case]) -> Findings:
    """Damage, read, judge."""
    findings = Findings()
    with Victim() as victim, tempfile.TemporaryDirectory(prefix="histo-chaos-") as temporary:
        trials = Trials(victim, Path(temporary), SPECIMENS)
        for case in chosen:
            content = trials.content(case.kind)
            damaged = MUTATIONS[case.mutation](content, random.Random(case.seed))
            cut = case.mutation in ("truncate", "empty")
            outcome, failure = trials.read(case.kind, damaged, cut=cut)
            if damaged == content:
                outcome, failure = "unchanged", None
            findings.outcomes.setdefault(case.kind, collections.Counter())[outcome] += 1
            if failure:
                findings.failures.append((case, failure))
            if outcome == "other content":
                findings.rotten.append(case)
    return findings


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
