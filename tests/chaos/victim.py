"""The process that reads damaged files: it may die, hang or grow, and another one watches it.

Reads one specimen a line from its input and answers one line: what became of it.
"""

import json
import resource
import sys
import time
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


def read_other(path: Path, kind: str) -> dict[str, Any]:
    """Read what is no source of tiles."""
    if kind == "model":
        from histocli.models.checkpoint import load_model

        load_model(path)
    elif kind == "record":
        from histocli.run_record import RunRecord

        RunRecord.read(path)
    elif kind == "settings":
        from histocli.settings_sources import find_config, load_settings

        load_settings(find_config(path), {})
    elif kind == "predictions":
        from histocli.predictions import Predictions

        Predictions.read(path)
    else:
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
    return {}


def judge(line: str) -> dict[str, Any]:
    """Read one specimen; what happened."""
    specimen = json.loads(line)
    path = Path(specimen["path"])
    started = time.process_time()
    try:
        if specimen["reads"] == "tiles":
            result = {"outcome": "read", **read_tiles(path)}
        else:
            result = {"outcome": "read", **read_other(path, specimen["reads"])}
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
