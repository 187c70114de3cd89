"""`histo qc` as one object that can be sent to another process, and what runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histocli.data.opening import AS_IT_IS, SourceOptions, facts_of
from histocli.data.shards import Shard
from histocli.data.shared_output import SharedOutput
from histocli.data.tiles import TileSource
from histocli.qc.check import Judging, check_tiles
from histocli.qc.output import check_folder
from histocli.qc.result import QCResult
from histocli.run_record import RunRecord

Begin = Callable[[str, int], Callable[[int], None]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class QCJob:
    """What is to be done, in plain values.

    Attributes:
        source: Where the tiles are.
        output: Folder to write.
        judging: By what the tiles are judged.
        recorded: What the record keeps of that.
        batch_size: Tiles per batch.
        workers: Decoding threads.
        seed: Recorded.
        strict: Raise if a tile could not be read.
        opening: How the tiles are opened.
    """

    source: Path
    output: Path
    judging: Judging
    recorded: Mapping[str, Any]
    batch_size: int
    workers: int | None
    seed: int
    strict: bool
    opening: SourceOptions = AS_IT_IS


@dataclass(frozen=True)
class OpenQCJob:
    """A job with its tiles open; another process opens them for itself."""

    job: QCJob
    source: TileSource

    def __reduce__(self) -> tuple[Callable[[QCJob], "OpenQCJob"], tuple[QCJob]]:
        """Only the job travels."""
        return open_job, (self.job,)


def open_job(job: QCJob) -> OpenQCJob:
    """Open the tiles.

    Raises:
        InputError: If there are none.
    """
    return OpenQCJob(job, job.opening.open(job.source))


def run_job(
    opened: OpenQCJob,
    shard: Shard,
    begin: Begin,
    say: Say | None = None,
    *,
    overwrite: bool = False,
) -> QCResult:
    """Check one part; see ``check_tiles``.

    Args:
        opened: What to do.
        shard: The part.
        begin: Called with the stage and its number of tiles.
        say: Told what is waited for.
        overwrite: Begin anew.
    """
    job, source = opened.job, opened.source
    check_folder(job.output)
    with SharedOutput(job.output, shard, say=say) as shared:
        facts: dict[str, Any] = {"path": str(job.source), "sha256": shared.source_sha256(source)}
        facts |= {"tiles": len(source.tiles), **facts_of(source)}
        return check_tiles(
            source,
            shared,
            judging=job.judging,
            record=RunRecord("qc", job.recorded, {"source": facts}, seed=job.seed),
            batch_size=job.batch_size,
            workers=job.workers,
            overwrite=overwrite,
            strict=job.strict,
            progress=begin("checking", len(shard.part(len(source.tiles)))),
        )
