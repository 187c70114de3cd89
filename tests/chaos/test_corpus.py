import os

import pytest

from tests.chaos.conftest import Count
from tests.chaos.corpus import Findings, cases, run, table
from tests.chaos.mutations import MUTATIONS
from tests.chaos.specimens import SPECIMENS

REFUSED = "a damaged input is refused by name, or is read as what it is, within bounds"


def check(findings: Findings, count: int) -> None:
    assert sum(sum(counts.values()) for counts in findings.outcomes.values()) == count
    assert not findings.failures, "\n".join(f"{case}: {why}" for case, why in findings.failures)


def test_no_damaged_input_crashes_hangs_or_goes_unnamed() -> None:
    """A part of what `make chaos` tries: every kind once with every way to damage it."""
    count = len(SPECIMENS) * len(MUTATIONS)
    check(run(cases(count, seed=1)), count)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_thousands_of_damaged_inputs(capsys: pytest.CaptureFixture[str], tally: Count) -> None:
    count = int(os.environ.get("CHAOS_CASES", "2000"))
    findings = run(cases(count, seed=0))
    with capsys.disabled():
        print(f"\n{table(findings)}")  # noqa: T201 - the table is what the suite is run for
    tally(REFUSED, count, len(findings.failures))
    check(findings, count)
