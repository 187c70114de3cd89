"""Each test is a case of a promise, for the table of `make chaos`."""

from collections.abc import Generator

import pytest

from tests.chaos.conftest import TALLY

PROMISES = {
    "test_no_code_from_files": "no file runs code, and no source of the package could",
    "test_no_network": "no command uses the network with --offline, or names tiles in its messages",
    "test_report_escapes": "names from data are never markup in a report",
    "test_bounds": "no bound of a dependency lets in a published vulnerability",
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" or report.failed:
        promise = PROMISES[item.path.stem]
        counts = item.config.stash.setdefault(TALLY, {}).setdefault(promise, [0, 0])
        counts[0] += report.when == "call"
        counts[1] += report.failed
    return report
