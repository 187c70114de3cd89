"""Write synthetic tiles in the layout of a public data set, so that its example runs without a download.

python examples/phantom_layouts.py pcam FOLDER      # PatchCamelyon's HDF5 files and tables of slides
python examples/phantom_layouts.py kaggle FOLDER    # Histopathologic Cancer Detection's folders and table
"""

import argparse
import csv
import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

import histocli
from histocli.data.phantom import write_phantom
from histocli.data.tiles import SPLITS, TileSource

POSITIVE = "tumor"


def write_pcam(source: TileSource, folder: Path) -> None:
    """``camelyonpatch_level_2_split_SPLIT_x.h5``, ``_y.h5`` and ``_meta.csv``."""
    for split in SPLITS:
        chosen = [index for index, tile in enumerate(source.tiles) if tile.split == split]
        pixels = np.stack([source.read(index) for index in chosen])
        labels = np.array([source.tiles[index].label == POSITIVE for index in chosen], np.uint8)
        stem = f"camelyonpatch_level_2_split_{split}"
        with h5py.File(folder / f"{stem}_x.h5", "w") as file:
            file["x"] = pixels
        with h5py.File(folder / f"{stem}_y.h5", "w") as file:
            file["y"] = labels.reshape(-1, 1, 1, 1)
        rows = [[number, source.tiles[index].group] for number, index in enumerate(chosen)]
        write_table(folder / f"{stem}_meta.csv", ["", "wsi"], rows)


def write_kaggle(source: TileSource, folder: Path) -> None:
    """``train/ID.png``, ``test/ID.png`` and ``train_labels.csv``; the test tiles have no label."""
    rows = []
    for index, tile in enumerate(source.tiles):
        content = source.read_bytes(index)
        name = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        part = folder / ("test" if tile.split == "test" else "train")
        part.mkdir(exist_ok=True)
        (part / f"{name}.png").write_bytes(content)
        if part.name == "train":
            rows.append([name, int(tile.label == POSITIVE)])
    write_table(folder / "train_labels.csv", ["id", "label"], rows)


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


LAYOUTS: Mapping[str, Callable[[TileSource, Path], None]] = {
    "pcam": write_pcam,
    "kaggle": write_kaggle,
}


def main() -> None:
    """Draw the tiles, then write them as asked for."""
    parser = argparse.ArgumentParser(
        description="Synthetic tiles in the layout of a public data set."
    )
    parser.add_argument("layout", choices=LAYOUTS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiles", type=int, default=600)
    arguments = parser.parse_args()
    if arguments.folder.exists():
        parser.error(f"{arguments.folder} exists; name another folder")
    arguments.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder.parent) as drawn:
        # Neither data set has files that cannot be read.
        write_phantom(Path(drawn) / "phantom", tiles=arguments.tiles, faults=False)
        source = histocli.open_tiles(Path(drawn) / "phantom")
        # Under its name only when it is whole: who interrupts this can call it again.
        made = Path(drawn) / "made"
        made.mkdir()
        LAYOUTS[arguments.layout](source, made)
        made.rename(arguments.folder)


if __name__ == "__main__":
    main()
