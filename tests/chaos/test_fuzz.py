"""A fuzz target for each reader: minutes in `make test-slow`, as long as one likes in `make fuzz`."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.chaos.conftest import Count
from tests.chaos.files_of_histo import FILES_OF_HISTO
from tests.chaos.fuzz import Edit, edited, edits, is_cut
from tests.chaos.specimens import SPECIMENS
from tests.chaos.trials import Trials, Victim

PROMISE = "content that hypothesis draws is read within bounds, or refused by name"
TARGETS = {**SPECIMENS, **FILES_OF_HISTO}
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
# CI tries the same cases each time; by hand each time others, and those that failed again.
SAME_EACH_TIME = "FUZZ_EXAMPLES" not in os.environ


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with Victim() as victim:
        yield Trials(victim, tmp_path_factory.mktemp("fuzz"), TARGETS)


@pytest.mark.slow
@pytest.mark.timeout(24 * 3600)
@pytest.mark.parametrize("kind", list(TARGETS))
def test_no_content_crashes_a_reader(kind: str, trials: Trials, tally: Count) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=SAME_EACH_TIME,
        suppress_health_check=list(HealthCheck),
    )
    @example([("cut", 0.0, b"0")])
    @example([("cut", 0.0, b"0"), ("insert", 0.0, b"[" * 20_000)])
    @example([("cut", 0.0, b"0"), ("insert", 0.0, b"null")])
    @example([("cut", 0.0, b"0"), ("insert", 0.0, b"{}")])
    @example([("cut", 0.0, b"0"), ("insert", 0.0, b"\x80")])
    @example([("cut", 0.9, b"0")])
    @given(
        edits
        | st.binary(max_size=300).map(lambda whole: [("cut", 0.0, b""), ("insert", 0.0, whole)])
    )
    def target(chosen: list[Edit]) -> None:
        damaged = edited(trials.content(kind), chosen)
        _, failure = trials.read(kind, damaged, cut=is_cut(chosen))
        tally(PROMISE, 1, int(bool(failure)))
        assert failure is None, failure

    target()
