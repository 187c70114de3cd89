"""Read a ``qc.csv``, and refuse one that speaks of other tiles."""

from pathlib import Path

import numpy as np
import pytest

from histocli.data.layouts import open_source
from histocli.data.tiles import content_hash
from histocli.data.verdicts import read_rejects, read_verdicts
from histocli.data.writing import write_tile
from histocli.errors import InputError, SettingsError
from histocli.run_record import RunRecord

HEADER = "tile,verdict,reasons,kept_instead\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        for name in ("normal/a.png", "tumor/b.png"):
            pixels = generator.integers(0, 256, (16, 16, 3), np.uint8)
            write_tile(tmp_path / "data" / split / name, pixels)
    return tmp_path / "data"


def table(folder: Path, rows: str) -> Path:
    path = folder / "qc.csv"
    path.write_text(HEADER + rows)
    return path


def test_reasons_and_what_is_kept_are_read(data: Path, tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "train/normal/a.png,fail,blur;pen,\ntrain/tumor/b.png,pass,,\n"
        "valid/tumor/b.png,fail,duplicate,train/tumor/b.png\n",
    )
    found = read_rejects(path, open_source(data))
    assert found.reasons == {
        "train/normal/a.png": ("blur", "pen"),
        "valid/tumor/b.png": ("duplicate",),
    }
    assert found.kept_instead == {"valid/tumor/b.png": "train/tumor/b.png"}
    assert found.checked == 3
    assert found.by_reason(["train/normal/a.png"]) == {"blur": 1, "pen": 1}


def test_a_check_of_one_split_folder_fits_the_whole(data: Path, tmp_path: Path) -> None:
    path = table(tmp_path, "normal/a.png,fail,duplicate,tumor/b.png\ntumor/b.png,pass,,\n")
    record = RunRecord("qc", {}, {})
    train = open_source(data / "train")
    record.inputs["source"] = {"sha256": content_hash(train, range(2))}
    record.write(tmp_path)
    found = read_rejects(path, open_source(data))
    assert found.reasons == {"train/normal/a.png": ("duplicate",)}
    assert found.kept_instead == {"train/normal/a.png": "train/tumor/b.png"}


@pytest.mark.parametrize(
    "rows", ["other/a.png,pass,,\n", "", "train/normal/a.png,pass,,\nx.png,pass,,\n"]
)
def test_a_table_of_other_tiles_is_refused(rows: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not fit") as raised:
        read_rejects(table(tmp_path, rows), open_source(data))
    assert ".png" not in str(raised.value)


def test_tiles_that_changed_since_are_refused(data: Path, tmp_path: Path) -> None:
    path = table(tmp_path, "train/normal/a.png,pass,,\n")
    RunRecord("qc", {}, {"source": {"sha256": "of other pixels"}}).write(tmp_path)
    with pytest.raises(SettingsError, match="have changed since"):
        read_rejects(path, open_source(data))


def test_a_record_beside_it_that_knows_no_source_is_named(data: Path, tmp_path: Path) -> None:
    path = table(tmp_path, "train/normal/a.png,pass,,\n")
    RunRecord("qc", {}, {}).write(tmp_path)
    with pytest.raises(InputError, match=r"run\.json: damaged \(it lacks source\)"):
        read_rejects(path, open_source(data))


@pytest.mark.parametrize(
    "content",
    ["tile,label\na,b\n", HEADER + "a,fail,,\n", HEADER + "a,pass,blur,\n", HEADER + "a,maybe,,\n"],
)
def test_what_is_no_such_table_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "qc.csv").write_text(content)
    with pytest.raises(InputError, match=r"qc\.csv"):
        read_verdicts(tmp_path / "qc.csv")
    with pytest.raises(InputError, match="no such file"):
        read_verdicts(tmp_path / "absent.csv")
