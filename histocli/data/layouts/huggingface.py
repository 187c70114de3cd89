"""Parquet files with image bytes, as the Hugging Face hub exports them.

Source:
    https://huggingface.co/docs/datasets: a column ``image`` of ``{bytes, path}``, class names in the
    schema's metadata, and the split in the file's name (``train-00000-of-00013.parquet``).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from histocli.atomic_files import parse_json
from histocli.data.layouts.image_files import MEMBER_MARK
from histocli.data.layouts.label_table import ALIASES
from histocli.data.layouts.parquet_rows import ParquetRows, damage_named, open_parquet
from histocli.data.layouts.rows import RowSource
from histocli.data.tiles import SPLIT_ALIASES, Split, Tile
from histocli.errors import InputError

SUFFIX = ".parquet"
# Of a download, and of the hub's own conversion (default/train/0000.parquet).
FOLDER_PATTERNS = ("*", "[!.]*/*", "[!.]*/[!.]*/*")
SPLIT_OF_NAME = re.compile(r"(train|validation|valid|val|test)(?![a-z])", re.IGNORECASE)
LABEL_COLUMNS = ("label", "labels", *ALIASES["label"])
# Names of a binary column that holds images; a column of structs with bytes has any name.
BINARY_COLUMNS = ("image", "img", "bytes", "image_bytes", "image.bytes")


def open_huggingface(path: Path) -> RowSource | None:
    """Recognise a parquet file with images, or a folder of them; ids are ``file.parquet#row``."""
    folder = path if path.is_dir() else path.parent
    tiles: list[Tile] = []
    parts: list[ParquetRows] = []
    for file in _find_files(path):
        column = _image_column(open_parquet(file).schema_arrow)
        if column is not None:
            parts.append(ParquetRows(file, column))
            tiles += _tiles(file, file.relative_to(folder).as_posix(), column)
    files = [part.path for part in parts]
    return RowSource(path, "huggingface", tiles, parts, files) if parts else None


def holds_images(path: Path) -> bool:
    """Whether a file is a parquet file with a column of images, not a table that names tiles."""
    if path.suffix.lower() != SUFFIX:
        return False
    return _image_column(open_parquet(path).schema_arrow) is not None


def _find_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        if path.suffix.lower() == SUFFIX:
            yield path
        return
    for pattern in FOLDER_PATTERNS:
        yield from sorted(path.glob(pattern + SUFFIX))


def _image_column(schema: Any) -> str | None:
    import pyarrow as pa

    for field in schema:
        kind = field.type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return str(field.name)
        is_binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        if is_binary and field.name.lower() in BINARY_COLUMNS:
            return str(field.name)
    return None


def _tiles(path: Path, name: str, image_column: str) -> Iterator[Tile]:
    import pyarrow as pa

    file = open_parquet(path)
    schema = file.schema_arrow
    scalars = [
        field.name
        for field in schema
        if field.name != image_column
        and not (pa.types.is_nested(field.type) or pa.types.is_binary(field.type))
    ]
    lowered = {column.lower(): column for column in scalars}
    label = next((lowered[alias] for alias in LABEL_COLUMNS if alias in lowered), None)
    group = next((lowered[alias] for alias in ALIASES["group"] if alias in lowered), None)
    split = _split_of(name)
    to_label = _label_reader(schema, label, path)
    others = [column for column in scalars if column not in (label, group)]
    row = 0
    # Without the images, a row is a few bytes.
    for batch in _read_batches(file, scalars, path) if scalars else ():
        for cells in batch.to_pylist():
            yield Tile(
                id=f"{name}{MEMBER_MARK}{row}",
                label=None if label is None else to_label(cells[label]),
                group=None if group is None else _text(cells[group]) or None,
                split=split,
                extra={column: _text(cells[column]) for column in others},
            )
            row += 1
    for number in range(row, file.metadata.num_rows):
        yield Tile(id=f"{name}{MEMBER_MARK}{number}", split=split)


def _read_batches(file: Any, columns: list[str], path: Path) -> Iterator[Any]:
    with damage_named(path):
        yield from file.iter_batches(columns=columns)


def _split_of(name: str) -> Split | None:
    """The split that the file's name begins with, or that its folder has."""
    for part in reversed(name.split("/")):
        match = SPLIT_OF_NAME.match(part)
        if match:
            return SPLIT_ALIASES[match[1].lower()]
    return None


def _label_reader(schema: Any, column: str | None, path: Path) -> Callable[[Any], str | None]:
    names = _class_names(schema, column)

    def read(value: Any) -> str | None:
        # The hub writes -1 where a label is withheld.
        if value is None or value == -1:
            return None
        if names and isinstance(value, int) and not isinstance(value, bool):
            if value >= len(names):
                raise InputError(
                    f"{path}: label {value}, but its schema names {len(names)} classes"
                )
            return names[value]
        # As numbers, so that each carrier of PatchCamelyon has the classes 0 and 1.
        return str(int(value)) if isinstance(value, bool) else str(value)

    return read


def _class_names(schema: Any, column: str | None) -> Sequence[str]:
    try:
        content = parse_json((schema.metadata or {}).get(b"huggingface", b"{}"))
        feature: Mapping[str, Any] = content["info"]["features"][column]
        return [str(name) for name in feature["names"]]
    except (KeyError, TypeError, ValueError):
        return ()


def _text(value: Any) -> str:
    return "" if value is None else str(value)
