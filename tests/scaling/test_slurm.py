"""The scripts of examples/slurm on a SLURM cluster of two nodes, one of which dies."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from slurm_cluster import missing_programs, slurm_cluster

from histocli.data.phantom import write_phantom
from histocli.run_record import RunRecord
from tests.preparation.conftest import everything

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "slurm"
TRAIN = ["--arch", "test_efficientnet", "--weights", "none", "--input-size-px", "32",
         "--test-time-augmentation", "none", "--device", "cpu"]  # fmt: skip
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(missing_programs()), reason="no SLURM here"),
    pytest.mark.skipif(os.geteuid() != 0, reason="slurmd needs root"),
]


class Slurm:
    """What a user types."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = dict(environment)
        self.folder = folder

    def type(self, *command: object) -> str:
        """Run a command in the folder; its output."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def submit(self, *arguments: object) -> str:
        """Submit a job with little memory; its number."""
        return self.type("sbatch", "--parsable", "--mem=100", *arguments).strip()

    def states(self, job: str) -> set[str]:
        """State of each task of a job."""
        lines = self.type("scontrol", "--oneliner", "show", "job", job).splitlines()
        return {line.partition("JobState=")[2].split()[0] for line in lines if line}

    def wait_until(self, condition: Callable[[], bool], seconds: float = 400) -> None:
        """Look again and again."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.5)

    def wait(self, job: str) -> set[str]:
        """Wait for the end of all tasks of a job."""
        self.wait_until(lambda: self.states(job) <= ENDED)
        return self.states(job)

    def start_again(self, job: str) -> None:
        """Let a job that went back to the queue start soon; SLURM itself would wait for two minutes."""
        self.wait_until(lambda: self.states(job) <= {"PENDING"})
        # At once would be too soon: the credential of the first start has just been revoked.
        self.type("scontrol", "update", f"JobId={job}", "StartTime=now+5")

    def logs(self) -> str:
        """All that jobs printed."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A cluster, and a folder with tiles where jobs are submitted."""
    folder = tmp_path_factory.mktemp("work")
    write_phantom(folder / "data", tiles=200, seed=5)
    state = tmp_path_factory.mktemp("slurm")
    with slurm_cluster(state) as environment:
        slurm = Slurm(environment | {"HISTO_NORMALIZE__DEVICE": "cpu"}, folder)
        slurm.wait_until(lambda: slurm.type("sinfo", "-h", "-t", "idle", "-o", "%D").strip() == "2")
        yield slurm


def test_arrays_give_the_bytes_of_one_process(slurm: Slurm) -> None:
    slurm.type("histo", "normalize", "data", "--output", "whole", "--quiet")
    job = slurm.submit("--array=1-3", EXAMPLES / "normalize.sbatch", "data", "--output", "parts")
    assert slurm.wait(job) == {"COMPLETED"}, slurm.logs()
    assert everything(slurm.folder / "parts") == everything(slurm.folder / "whole")
    assert "shard 2/3, from SLURM's array" in slurm.logs()

    slurm.type("histo", "qc", "data", "--output", "whole-qc", "--quiet")
    job = slurm.submit("--array=0-4:2", EXAMPLES / "qc.sbatch", "data", "--output", "parts-qc")
    assert slurm.wait(job) == {"COMPLETED"}, slurm.logs()
    assert everything(slurm.folder / "parts-qc") == everything(slurm.folder / "whole-qc")


def test_a_task_that_is_killed_goes_back_to_the_queue_and_continues(slurm: Slurm) -> None:
    slurm.type("histo", "normalize", "data", "--output", "calm", "--quiet")
    job = slurm.submit(
        *("--array=1-2", EXAMPLES / "normalize.sbatch", "data"),
        *("--output", "disturbed", "--batch-size", 4),
    )
    journal = slurm.folder / "disturbed" / ".journal-1-of-2.jsonl"
    slurm.wait_until(lambda: journal.exists() and journal.stat().st_size > 0)
    slurm.type("scontrol", "requeue", f"{job}_1")
    slurm.start_again(f"{job}_1")
    assert slurm.wait(job) == {"COMPLETED"}, slurm.logs()
    assert everything(slurm.folder / "disturbed") == everything(slurm.folder / "calm")


def test_training_goes_on_from_job_to_job_and_its_model_serves_an_array(slurm: Slurm) -> None:
    # Epochs enough for the signal to come before the end, however quick the machine is.
    options = (*TRAIN, "--epochs", 40, "--patience", 40)
    slurm.type("histo", "train", "data", *options, "--name", "calm", "--quiet", "--workers", 2)
    job = slurm.submit(
        *("--job-name=disturbed", "--cpus-per-task=2", EXAMPLES / "train.sbatch", "data"), *options
    )
    log = slurm.folder / f"disturbed-{job}.log"
    slurm.wait_until(lambda: log.exists() and "AUROC" in log.read_text())
    # What SLURM sends of itself two minutes before the end.
    slurm.type("scancel", "--signal=USR1", job)
    slurm.wait_until(lambda: "goes back to the queue" in log.read_text())
    slurm.start_again(job)
    assert slurm.wait(job) == {"COMPLETED"}, slurm.logs()
    assert RunRecord.read(slurm.folder / "runs" / "disturbed").state == "done"
    calm, disturbed = (
        (slurm.folder / "runs" / name / "best_model.safetensors").read_bytes()
        for name in ("calm", "disturbed")
    )
    assert calm == disturbed

    predict = ("runs/disturbed", "data", "--batch-size", 8, "--output")
    slurm.environment["OMP_NUM_THREADS"] = "1"
    slurm.type("histo", "predict", *predict, "whole.csv", "--quiet")
    job = slurm.submit(
        "--array=1-3", "--cpus-per-task=1", EXAMPLES / "predict.sbatch", *predict, "parts.csv"
    )
    assert slurm.wait(job) == {"COMPLETED"}, slurm.logs()
    parts, whole = (slurm.folder / f"{name}.csv" for name in ("parts", "whole"))
    assert parts.read_bytes() == whole.read_bytes()


def _lose_node(name: str) -> None:
    """Kill all that runs on a node, as a loss of power would."""
    daemon = ["slurmd", "-D", "-N", name]
    found = [one for one in psutil.Process().children() if one.cmdline() == daemon]
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("SLURMD_NODENAME") == name:
                steps = [one for one in process.parents() if "slurmstepd" in one.name()]
                found += [*steps, process]
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_the_task_of_a_lost_node_continues_on_another(slurm: Slurm) -> None:
    """The last of these tests: the node does not come back."""
    slurm.type("histo", "normalize", "data", "--output", "calm-2", "--quiet")
    job = slurm.submit(
        *("--array=1-2", "--exclusive", EXAMPLES / "normalize.sbatch", "data"),
        *("--output", "lost", "--batch-size", 2),
    )
    journals = [slurm.folder / "lost" / f".journal-{part}-of-2.jsonl" for part in (1, 2)]
    slurm.wait_until(lambda: any(path.exists() and path.stat().st_size for path in journals))
    _lose_node("node1")
    slurm.wait_until(lambda: "PENDING" in slurm.states(job))
    pending = next(part for part in (1, 2) if slurm.states(f"{job}_{part}") == {"PENDING"})
    slurm.start_again(f"{job}_{pending}")
    assert slurm.wait(job) == {"COMPLETED"}, slurm.logs()
    assert everything(slurm.folder / "lost") == everything(slurm.folder / "calm-2")
