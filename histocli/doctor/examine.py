"""Make every check, whatever the one before it met.

No check imports a package that might be broken before it is called.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from histocli.doctor.devices import check_devices
from histocli.doctor.disk import check_disk
from histocli.doctor.driver import check_driver
from histocli.doctor.extras import check_extras
from histocli.doctor.finding import Finding, problem
from histocli.doctor.folders import check_folders
from histocli.doctor.kernel_parity import check_kernel_parity
from histocli.doctor.shared_memory import check_shared_memory
from histocli.doctor.versions import check_versions
from histocli.doctor.weights import check_weights

# From the folder of the work to what was found.
Check = Callable[[Path], list[Finding]]

CHECKS: Mapping[str, Check] = {
    "versions": check_versions,
    "devices": check_devices,
    "driver": check_driver,
    "shared memory": check_shared_memory,
    "kernels": check_kernel_parity,
    "weights": check_weights,
    "folders": check_folders,
    "disk": check_disk,
    "extras": check_extras,
}


def examine(
    folder: Path,
    checks: Mapping[str, Check] = CHECKS,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[tuple[str, Finding]]:
    """Make the checks one by one.

    Args:
        folder: Where the work is done: its disk is the one that counts.
        checks: Which.
        progress: Is told of each that was made.

    Yields:
        The name of a check and something that it found.
    """
    for name, check in checks.items():
        for finding in _without_raising(name, check, folder):
            # One line each, whatever a library has to say.
            yield name, replace(finding, message=" ".join(finding.message.split()))
        progress(1)


def _without_raising(name: str, check: Check, folder: Path) -> list[Finding]:
    """A machine that needs a doctor raises anything: broken wheels, missing libraries, drivers."""
    try:
        return check(folder)
    except Exception as error:  # noqa: BLE001 - the next check has to be made
        met = f"{type(error).__name__}: {error}"
        return [problem(name, met, "install histocli again in a fresh virtual environment")]
