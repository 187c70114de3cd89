"""One small data set a layout, written as its publishers write it, with the truth beside it."""

import csv
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from histocli.data.tiles import Split
from tests.data.layouts.slide_files import write_slide

Pixels = NDArray[np.uint8]
PCAM = "camelyonpatch_level_2_split_"


@dataclass(frozen=True)
class Truth:
    label: str | None
    group: str | None
    split: Split | None
    pixels: Pixels


@dataclass(frozen=True)
class Example:
    """A data set on disk.

    Attributes:
        path: What a user names.
        main: The file that holds tiles, to be damaged by tests.
        tiles: What must be found, by id.
    """

    path: Path
    main: Path
    tiles: Mapping[str, Truth]


def draw(count: int, seed: int = 0, side: int = 12) -> Pixels:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, side, side, 3)).astype(np.uint8)


def encode(pixels: Pixels, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def kaggle_id(pixels: Pixels) -> str:
    return hashlib.sha1(pixels.tobytes(), usedforsecurity=False).hexdigest()


def class_folders(folder: Path) -> Example:
    pixels = draw(4)
    tiles = {
        "test/tumor/d.png": Truth("tumor", None, "test", pixels[3]),
        "train/normal/a.bmp": Truth("normal", None, "train", pixels[0]),
        "train/tumor/b.tif": Truth("tumor", None, "train", pixels[1]),
        "valid/normal/c.webp": Truth("normal", None, "valid", pixels[2]),
    }
    for name, truth in tiles.items():
        kind = {"bmp": "BMP", "tif": "TIFF", "png": "PNG", "webp": "WEBP"}[name.rsplit(".")[-1]]
        write_file(folder / name, encode_lossless(truth.pixels, kind))
    return Example(folder, folder / "train/normal/a.bmp", tiles)


def encode_lossless(pixels: Pixels, kind: str) -> bytes:
    buffer = io.BytesIO()
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def manifest(folder: Path) -> Example:
    pixels = draw(3)
    tiles = {
        "slide1/x.png": Truth("tumor", "p1", "train", pixels[0]),
        "slide2/y.png": Truth("normal", "p2", "test", pixels[1]),
        "slide2/z.png": Truth(None, "p2", None, pixels[2]),
    }
    for name, truth in tiles.items():
        write_file(folder / name, encode(truth.pixels))
    columns = {
        "tile": list(tiles),
        "label": [truth.label for truth in tiles.values()],
        "patient": [truth.group for truth in tiles.values()],
        "split": [truth.split for truth in tiles.values()],
    }
    pq.write_table(pa.table(columns), folder / "manifest.parquet")
    return Example(folder, folder / "manifest.parquet", tiles)


def images(folder: Path) -> Example:
    pixels = draw(2)
    tiles = {f"{i}.png": Truth(None, None, None, pixels[i]) for i in range(2)}
    for name, truth in tiles.items():
        write_file(folder / name, encode(truth.pixels))
    return Example(folder, folder / "0.png", tiles)


def zip_archive(folder: Path) -> Example:
    pixels = draw(4)
    path = folder / "archive.zip"
    inside = {
        "pcam/test/tumor/d.png": Truth("tumor", "s3", "test", pixels[3]),
        "pcam/train/normal/a.png": Truth("normal", "s1", "train", pixels[0]),
        "pcam/train/tumor/b.png": Truth("tumor", None, "train", pixels[1]),
        "pcam/val/normal/c.png": Truth("normal", None, "valid", pixels[2]),
    }
    members = {name: encode(truth.pixels) for name, truth in inside.items()}
    table = "path,slide\ntest/tumor/d.png,s3\ntrain/normal/a.png,s1\n"
    write_zip(
        path,
        {
            **members,
            "pcam/labels.csv": table.encode(),
            "__MACOSX/pcam/train/normal/._a.png": b"resource fork",
            "pcam/.hidden.png": b"",
            "pcam/README.md": b"about",
        },
    )
    return Example(path, path, {f"archive.zip#{name}": truth for name, truth in inside.items()})


def kaggle(folder: Path) -> Example:
    pixels = draw(5)
    ids = [kaggle_id(tile) for tile in pixels]
    labels = ["0", "1", "1"]
    tiles = {
        f"train.zip#{ids[i]}.tif": Truth(labels[i], None, "train", pixels[i]) for i in range(3)
    }
    tiles |= {f"test.zip#{ids[i]}.tif": Truth(None, None, "test", pixels[i]) for i in (3, 4)}
    for part in ("train", "test"):
        own = {name.partition("#")[2]: t for name, t in tiles.items() if name.startswith(part)}
        write_zip(folder / f"{part}.zip", {n: encode(t.pixels, "TIFF") for n, t in own.items()})
    write_csv(folder / "train_labels.csv", ["id", "label"], list(zip(ids, labels, strict=False)))
    write_csv(folder / "sample_submission.csv", ["id", "label"], [[ids[3], 0], [ids[4], 0]])
    return Example(folder, folder / "train.zip", tiles)


def write_pcam_split(
    folder: Path, split: str, pixels: Pixels, labels: Sequence[int], slides: Sequence[str]
) -> None:
    """Images, labels and table of one split, in chunks of four tiles."""
    count = len(pixels)
    with h5py.File(folder / f"{PCAM}{split}_x.h5", "w") as file:
        chunks = (min(4, count), *pixels.shape[1:])
        file.create_dataset("x", data=pixels, chunks=chunks, compression="gzip")
    with h5py.File(folder / f"{PCAM}{split}_y.h5", "w") as file:
        file.create_dataset("y", data=np.array(labels, np.uint8).reshape(count, 1, 1, 1))
    rows = [
        [i, 100 + i, 200 + i, str(i % 2 == 0 or bool(labels[i])), str(bool(labels[i])), slides[i]]
        for i in range(count)
    ]
    header = ["", "coord_y", "coord_x", "tumor_patch", "center_tumor_patch", "wsi"]
    write_csv(folder / f"{PCAM}{split}_meta.csv", header, rows)


def patchcamelyon(folder: Path) -> Example:
    tiles: dict[str, Truth] = {}
    for seed, (name, split, count) in enumerate((("test", "test", 3), ("train", "train", 11))):
        pixels = draw(count, seed)
        labels = [i % 2 for i in range(count)]
        slides = [f"camelyon16_{name}_normal_00{i // 4}" for i in range(count)]
        write_pcam_split(folder, name, pixels, labels, slides)
        for i in range(count):
            truth = Truth(str(labels[i]), slides[i], split, pixels[i])  # type: ignore[arg-type] # a split
            tiles[f"{PCAM}{name}_x.h5#{i}"] = truth
    return Example(folder, folder / f"{PCAM}train_x.h5", tiles)


def medmnist(folder: Path) -> Example:
    path = folder / "pathmnist.npz"
    names = ("adipose", "background", "colorectal adenocarcinoma epithelium")
    arrays: dict[str, Any] = {}
    tiles: dict[str, Truth] = {}
    splits: tuple[tuple[str, Split, int], ...] = (
        ("train", "train", 5),
        ("val", "valid", 2),
        ("test", "test", 3),
    )
    for seed, (name, split, count) in enumerate(splits):
        pixels = draw(count, seed, 28)
        chosen = [(0, 1, 8)[i % 3] for i in range(count)]
        arrays[f"{name}_images"] = pixels
        arrays[f"{name}_labels"] = np.array(chosen, np.uint8).reshape(-1, 1)
        for i in range(count):
            truth = Truth(names[i % 3], None, split, pixels[i])
            tiles[f"pathmnist.npz#{name}/{i}"] = truth
    np.savez_compressed(path, **arrays)
    return Example(path, path, tiles)


def write_parquet(
    path: Path, pixels: Pixels, labels: Sequence[Any], names: Sequence[str] | None = None
) -> None:
    """As `datasets` writes it: row groups of three, class names in the schema's metadata."""
    content = [{"bytes": encode(tile), "path": f"{i}.png"} for i, tile in enumerate(pixels)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(content, kind), "label": pa.array(labels)})
    if names is not None:
        feature = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        metadata = {"huggingface": json.dumps({"info": {"features": feature}})}
        table = table.replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=3)


def huggingface(folder: Path) -> Example:
    tiles: dict[str, Truth] = {}
    files: tuple[tuple[str, Split, int], ...] = (
        ("data/test-00000-of-00001.parquet", "test", 2),
        ("data/train-00000-of-00002.parquet", "train", 7),
        ("data/train-00001-of-00002.parquet", "train", 4),
        ("data/validation-00000-of-00001.parquet", "valid", 1),
    )
    for seed, (name, split, count) in enumerate(files):
        pixels = draw(count, seed)
        labels = [i % 2 for i in range(count)]
        write_parquet(folder / name, pixels, labels, ["normal", "tumor"])
        for i in range(count):
            tiles[f"{name}#{i}"] = Truth(("normal", "tumor")[i % 2], None, split, pixels[i])
    return Example(folder, folder / files[1][0], tiles)


def slides(folder: Path) -> Example:
    """At the resolution of its tiles, which are then the pixels of the file."""
    pixels = draw(6)
    rows = [np.concatenate(list(pixels[i : i + 3]), axis=1) for i in (0, 3)]
    path = write_slide(folder / "slide.svs", np.concatenate(rows), 0.5, [1], tile_px=16)
    (folder / "slides.toml").write_text("microns_per_pixel = 0.5\ntile_size_px = 12\n")
    places = [(x, y) for y in (0, 12) for x in (0, 12, 24)]
    tiles = {
        f"slide.svs#{x},{y}": Truth(None, "slide", None, tile)
        for (x, y), tile in zip(places, pixels, strict=True)
    }
    return Example(path, path, tiles)


def gzip_file(path: Path) -> Path:
    """Replace a file by its ``.gz``."""
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()
    return packed


EXAMPLES: Mapping[str, Callable[[Path], Example]] = {
    "kaggle": kaggle,
    "patchcamelyon": patchcamelyon,
    "zip": zip_archive,
    "slides": slides,
    "class-folders": class_folders,
    "manifest": manifest,
    "medmnist": medmnist,
    "huggingface": huggingface,
    "images": images,
}
