"""`histo normalize` as one object that can be sent to another process, and what runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histocli.data.opening import AS_IT_IS, SourceOptions, facts_of
from histocli.data.shards import Shard
from histocli.data.shared_output import SharedOutput
from histocli.data.tiles import TileSource
from histocli.data.writing import full_disk_named
from histocli.preparation.normalize import normalize_part
from histocli.preparation.output import NormalizeResult, check_folder
from histocli.preparation.references import references_by_tile
from histocli.preparation.setup import make_normalizer, make_record, needs_context, placement
from histocli.preparation.stain_context import context_key, shared_context
from histocli.preparation.stream import StainWork
from histocli.stain.batches import StainImage
from histocli.stain.normalizers import Normalizer, Reference

Begin = Callable[[str, int], Callable[[int], None]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class NormalizeJob:
    """What is to be done, in plain values.

    Attributes:
        source: Where the tiles are.
        output: Folder to write.
        method: A key of ``NORMALIZERS``.
        convention: A key of ``CONVENTIONS``.
        backend: A key of ``BACKENDS``.
        reference: Image or JSON to normalise to.
        context: Whose estimate is used.
        fit: Normalise to the typical stain of the source.
        image: What to write.
        to: A key of ``STORES``.
        device: As typed.
        batch_size: Tiles per batch.
        workers: Decoding threads.
        seed: Recorded.
        strict: Raise if a tile had to be skipped.
        opening: How the tiles are opened.
    """

    source: Path
    output: Path
    method: str
    convention: str
    backend: str
    reference: Path | None
    context: str
    fit: bool
    image: StainImage
    to: str
    device: str
    batch_size: int
    workers: int | None
    seed: int
    strict: bool
    opening: SourceOptions = AS_IT_IS


@dataclass(frozen=True)
class OpenJob:
    """A job with its tiles open and its normaliser made; another process opens it for itself."""

    job: NormalizeJob
    source: TileSource
    normalizer: Normalizer
    references: Mapping[str, Reference]
    device: str
    place: Callable[[Any], Any]

    def __reduce__(self) -> tuple[Callable[[NormalizeJob], "OpenJob"], tuple[NormalizeJob]]:
        """Only the job travels."""
        return open_job, (self.job,)


def open_job(job: NormalizeJob) -> OpenJob:
    """Open the tiles and make the normaliser.

    Raises:
        InputError: If there are no tiles, or a reference cannot be used.
        SettingsError: If the settings contradict each other or the machine.
    """
    source = job.opening.open(job.source)
    normalizer = make_normalizer(
        job.method, job.convention, job.backend, job.reference, job.context, fit=job.fit
    )
    references = references_by_tile(source, normalizer)
    device, place = placement(job.device, job.backend)
    return OpenJob(job, source, normalizer, references, device, place)


def run_job(
    opened: OpenJob,
    shard: Shard,
    begin: Begin,
    say: Say | None = None,
    *,
    overwrite: bool = False,
) -> NormalizeResult:
    """Normalise one part; see ``normalize_part``.

    Args:
        opened: What to do.
        shard: The part.
        begin: Called with each stage and its number of tiles.
        say: Told what is waited for.
        overwrite: Begin anew whatever lies there.
    """
    job, source, normalizer = opened.job, opened.source, opened.normalizer
    check_folder(job.output)
    with full_disk_named(job.output), SharedOutput(job.output, shard, say=say) as shared:
        digest = shared.source_sha256(source)
        context = None
        if needs_context(job.context, fit=job.fit):
            context = shared_context(
                source,
                shared,
                normalizer,
                context_key(digest, normalizer, opened.device),
                batch_size=job.batch_size,
                workers=job.workers,
                place=opened.place,
                begin=begin,
            )
            if job.fit:
                normalizer = normalizer.with_reference(context.dataset)
        record = make_record(
            job.source,
            digest,
            len(source.tiles),
            normalizer,
            job.seed,
            opened.device,
            opened.references,
            job.image,
            job.to,
        )
        record.inputs["source"] |= facts_of(source)
        return normalize_part(
            source,
            shared,
            StainWork(normalizer, context, opened.references, job.image, opened.place),
            record,
            batch_size=job.batch_size,
            to=job.to,
            workers=job.workers,
            overwrite=overwrite,
            strict=job.strict,
            progress=begin("normalizing", len(shard.part(len(source.tiles)))),
        )
