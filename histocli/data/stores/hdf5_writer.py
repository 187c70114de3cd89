"""A process that writes HDF5 files from what comes through its standard input, and ends.

python hdf5_writer.py FACTS
"""

import json
import os
import sys
from typing import IO, Any

import h5py
import numpy as np


def write(facts: dict[str, Any], content: IO[bytes]) -> None:
    """Write an array of uint8, in chunks with checksums.

    Args:
        facts: Path of the file; name, shape, rows in a chunk, and classes of the array.
        content: Its bytes.

    Raises:
        ValueError: If they are too few.
    """
    shape = tuple(facts["shape"])
    rows = min(facts["chunk"], shape[0])
    with h5py.File(facts["path"], "w") as file:
        chunks = (rows, *shape[1:])
        data = file.create_dataset(facts["key"], shape, "uint8", chunks=chunks, fletcher32=True)
        if facts["classes"]:
            data.attrs["classes"] = json.dumps(facts["classes"])
        for start in range(0, shape[0], rows):
            wanted = (min(rows, shape[0] - start), *shape[1:])
            block = np.frombuffer(content.read(int(np.prod(wanted))), np.uint8)
            if block.size != np.prod(wanted):
                raise ValueError("what was to be written ended early")
            data[start : start + wanted[0]] = block.reshape(wanted)


def main() -> None:
    """Write; after a failure end at once, for HDF5 would not."""
    try:
        for facts in json.loads(sys.argv[1]):
            write(facts, sys.stdin.buffer)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent tells it
        os.write(2, f"{error}".encode())
        os._exit(1)


if __name__ == "__main__":
    main()
