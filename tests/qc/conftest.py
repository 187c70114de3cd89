"""A phantom with planted faults, and a check with the default thresholds."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import pytest

from histocli.data.layouts import open_source
from histocli.data.phantom import write_phantom
from histocli.qc.check import Judging, check_whole
from histocli.qc.output import check_folder
from histocli.qc.result import QCResult
from histocli.qc.thresholds import Thresholds
from histocli.run_record import RunRecord

DEFAULTS = Thresholds()


class Check(Protocol):
    def __call__(
        self, source: Path, output: Path, thresholds: Thresholds = ..., **arguments: Any
    ) -> QCResult: ...


def run_check(
    source: Path, output: Path, thresholds: Thresholds = DEFAULTS, **arguments: Any
) -> QCResult:
    record = RunRecord("qc", asdict(thresholds), {"source": {"path": str(source)}})
    judging = Judging(thresholds, **arguments.pop("judging", {}))
    check_folder(output)
    return check_whole(open_source(source), output, judging=judging, record=record, **arguments)


@pytest.fixture
def check() -> Check:
    return run_check


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 tiles, five of them faulty."""
    folder = tmp_path_factory.mktemp("qc-phantom") / "data"
    write_phantom(folder, tiles=60, seed=3)
    return folder


@pytest.fixture(scope="session")
def checked(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> QCResult:
    """The finished check of ``phantom``."""
    return run_check(phantom, tmp_path_factory.mktemp("qc-out") / "data-qc")
