"""The process that reads damaged files: it may die, hang or grow, and another one watches it.

Reads one specimen a line from its input and answers one line: what became of it.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from histocli.errors import HistoError, UnreadableTileError

# More than any sound file here needs by far.
LARGEST_BYTES = 3 * 2**30


def read_tiles(path: Path) -> dict[str, Any]:
    """Open a source and read every tile of it."""
    from histocli.data.layouts import open_source

    source = open_source(path)
    pixels: dict[str, str] = {}
    unreadable: list[str] = []
    for index, tile in enumerate(source.tiles):
        try:
            pixels[tile.id] = source.read(index).tobytes().hex()
        except UnreadableTileError as error:
            unreadable.append(str(error))
    return {"pixels": pixels, "unreadable": unreadable}


def read_model(path: Path) -> None:
    from histocli.models.checkpoint import load_model

    load_model(path)


def read_record(path: Path) -> None:
    from histocli.run_record import RunRecord

    RunRecord.read(path)


def read_settings(path: Path) -> None:
    from histocli.settings_sources import find_config, load_settings

    load_settings(find_config(path), {})


def read_predictions(path: Path) -> None:
    from histocli.predictions import Predictions

    Predictions.read(path)


def read_weights(path: Path) -> None:
    from timm.models import create_model

    from histocli.models.architectures import find_architecture
    from histocli.models.weights import load_weights

    load_weights(
        create_model("test_efficientnet"),
        find_architecture("test_efficientnet"),
        str(path),
        offline=True,
        say=lambda _: None,
    )


def read_run(path: Path) -> None:
    from histocli.report.collect import collect_run

    collect_run(path)


def read_checksums(path: Path) -> None:
    from histocli.data.index import read_index

    read_index(path)


def read_quality(path: Path) -> None:
    from histocli.data.verdicts import read_verdicts

    read_verdicts(path)


def read_quality_summary(path: Path) -> None:
    from histocli.qc.result import QCResult

    QCResult.read(path)


def read_reference(path: Path) -> None:
    from histocli.stain.reference import StainReference

    StainReference.load(path)


def read_color_reference(path: Path) -> None:
    from histocli.stain.color_reference import ColorReference

    ColorReference.load(path)


def read_state(path: Path) -> None:
    from histocli.training.state import load_state

    load_state(path)


def read_splits(path: Path) -> None:
    from histocli.training.recorded_splits import recorded_tiles

    recorded_tiles(path)


def read_skipped_tiles(path: Path) -> None:
    from histocli.data.loading import read_skipped

    read_skipped(path)


# What is no source of tiles.
READERS: Mapping[str, Callable[[Path], None]] = {
    "model": read_model,
    "record": read_record,
    "settings": read_settings,
    "predictions": read_predictions,
    "weights": read_weights,
    "run": read_run,
    "checksums": read_checksums,
    "quality": read_quality,
    "quality summary": read_quality_summary,
    "reference": read_reference,
    "color reference": read_color_reference,
    "state": read_state,
    "splits": read_splits,
    "skipped": read_skipped_tiles,
}


def judge(line: str) -> dict[str, Any]:
    """Read one specimen; what happened."""
    specimen = json.loads(line)
    path = Path(specimen["path"])
    started = time.process_time()
    try:
        if specimen["reads"] == "tiles":
            result = {"outcome": "read", **read_tiles(path)}
        else:
            READERS[specimen["reads"]](path)
            result = {"outcome": "read"}
    except HistoError as error:
        result = {"outcome": "refused", "message": str(error), "exit_code": error.exit_code}
    except MemoryError as error:
        result = {"outcome": "memory", "message": repr(error)}
    except Exception as error:  # noqa: BLE001 - what must not happen is what is looked for
        import traceback

        result = {"outcome": "crash", "message": repr(error), "where": traceback.format_exc()}
    result["seconds"] = time.process_time() - started
    result["largest_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return result


def main() -> None:
    """Serve until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (8 * LARGEST_BYTES, 8 * LARGEST_BYTES))
    # What a decoder prints must not be taken for an answer.
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        answers.write(json.dumps(judge(line)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
