"""One table at the end of the suite: promise, cases tried, failures."""

from collections.abc import Callable

import pytest

Count = Callable[[str, int, int], None]
TALLY = pytest.StashKey[dict[str, list[int]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = {}


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Count:
    """Adds cases and failures to a promise."""
    kept = request.config.stash[TALLY]

    def add(promise: str, cases: int, failures: int) -> None:
        counts = kept.setdefault(promise, [0, 0])
        counts[0] += cases
        counts[1] += failures

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = terminalreporter.config.stash.get(TALLY, {})
    if counts:
        terminalreporter.section("promises")
        terminalreporter.write_line("| promise | cases tried | failures |")
        terminalreporter.write_line("|---|---|---|")
        for promise, (cases, failures) in counts.items():
            terminalreporter.write_line(f"| {promise} | {cases:,} | {failures} |")
