"""Which stage a command spends most of its time in."""

from collections.abc import Sequence
from dataclasses import dataclass

from histocli.bench.measuring import Rate


@dataclass(frozen=True)
class Bottleneck:
    """The slowest stage of a command.

    Attributes:
        command: Whose.
        stage: Its name.
        share: Of the time of a tile that passes through every stage, one after the other.
        advice: What would make it faster.
    """

    command: str
    stage: str
    share: float
    advice: str


def find_bottleneck(command: str, rates: Sequence[Rate], device: str) -> Bottleneck:
    """Find the stage of ``command`` that takes longest for a tile.

    Args:
        command: ``normalize`` or ``predict``.
        rates: Of all stages, at least one of which is the command's.
        device: Where networks run.
    """
    times = {rate.stage: 1 / rate.tiles_per_second for rate in rates if command in rate.commands}
    slowest = max(times, key=lambda stage: times[stage])
    share = times[slowest] / sum(times.values())
    return Bottleneck(command, slowest, share, _advice(slowest, device))


def _advice(stage: str, device: str) -> str:
    on_cpu = device == "cpu"
    by_stage = {
        "decode": "more cores, or tiles packed in one file (histo normalize --to npz makes one)",
        "stain": "a GPU, or more cores" if on_cpu else "larger tiles or a larger --batch-size",
        "encode PNG": "pack the tiles without compressing them (--to npz), or more cores",
        "write files": "pack the tiles (--to npz), or write to a faster disk (--output)",
        "prepare": "tiles of the side that the network takes",
        "network": "a GPU, or a smaller network or --input-size-px"
        if on_cpu
        else "a larger --batch-size, or a smaller network",
    }
    return by_stage[stage]
