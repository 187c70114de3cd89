"""A SLURM cluster of two nodes on this one machine, in a folder: munged, slurmctld, two slurmd.

For tests, and to try the examples by hand: ``python tests/scaling/slurm_cluster.py FOLDER`` runs it until
Ctrl-C. It needs root, and Debian's packages slurm-wlm and munge; never run it where SLURM is in use.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "srun")
NODES = ("node1", "node2")
CONFIGURATION = """
ClusterName=histo
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=10
MinJobAge=3600
SlurmctldTimeout=60
SlurmdTimeout=15
MpiDefault=none
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=4000"


def missing_programs() -> list[str]:
    """Programs of SLURM that this machine lacks."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configure(folder: Path) -> None:
    host = socket.gethostname().partition(".")[0]
    nodes = [NODE.format(name=name, host=host, port=_free_port()) for name in NODES]
    text = CONFIGURATION.format(
        host=host, controller=_free_port(), folder=folder, nodes="\n".join(nodes)
    )
    (folder / "slurm.conf").write_text(text)
    (folder / "cgroup.conf").write_text("CgroupPlugin=autodetect\n")
    (folder / "state").mkdir()
    for name in NODES:
        (folder / f"spool-{name}").mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)


@contextmanager
def _daemon(folder: Path, environment: Mapping[str, str], *command: str) -> Iterator[None]:
    number = len(list(folder.glob("*.output")))
    with (
        (folder / f"{number}-{command[0]}.output").open("ab") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Run a cluster with its state in an empty folder; the environment in which sbatch finds it."""
    _configure(folder)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
    munge = ["munged", "--foreground", "--force"]
    for option, name in (
        ("key-file", "munge.key"),
        ("socket", "munge.socket"),
        ("pid-file", "munge.pid"),
        ("log-file", "munge.log"),
        ("seed-file", "munge.seed"),
    ):
        munge.append(f"--{option}={folder / name}")
    with ExitStack() as running:
        running.enter_context(_daemon(folder, environment, *munge))
        _wait_for(folder / "munge.socket")
        running.enter_context(_daemon(folder, environment, "slurmctld", "-D"))
        for name in NODES:
            running.enter_context(_daemon(folder, environment, "slurmd", "-D", "-N", name))
        yield environment


def _wait_for(path: Path) -> None:
    for _ in range(100):
        if path.exists():
            return
        time.sleep(0.1)
    raise TimeoutError(path)


if __name__ == "__main__":
    base = Path(sys.argv[1]).absolute()
    base.mkdir()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with slurm_cluster(base) as found:
        sys.stdout.write(f"export SLURM_CONF={found['SLURM_CONF']}\n")
        sys.stdout.flush()
        while True:
            time.sleep(60)
