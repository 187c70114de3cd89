from concurrent.futures import ThreadPoolExecutor

import pytest

from histocli.stain.cores import available_cores, hold_this_thread


def test_a_thread_can_be_held_to_fewer_cores_and_no_other_thread_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = available_cores()
    with ThreadPoolExecutor(1, "held", hold_this_thread, (before + 3,)) as pool:
        assert pool.submit(available_cores).result() == before + 3
    assert available_cores() == before


def test_the_environment_holds_the_process_to_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert available_cores() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "0")
    assert available_cores() >= 1
