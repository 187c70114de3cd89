"""A data set is fetched whole, checked, unpacked, and refused if it is not what was published."""

import gzip
import hashlib
import io
import shutil
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from histocli.data.fetching.catalog import DATA_SETS, DataSet, RemoteFile
from histocli.data.fetching.fetch import announcement, fetch, find_data_set
from histocli.data.layouts import open_source
from histocli.errors import InputError, SettingsError
from tests.data.fetching.conftest import Server
from tests.data.layouts.examples import PCAM, draw

TABLE = b"unnamed,wsi\n"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def hdf5(key: str, values: object) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file[key] = values
    return buffer.getvalue()


CONTENT = {
    f"{PCAM}test_y.h5": hdf5("y", np.array([0, 1], np.uint8).reshape(2, 1, 1, 1)),
    f"{PCAM}test_x.h5": hdf5("x", draw(2)),
}
PACKED = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in CONTENT.items()}


@pytest.fixture
def data_set(server: Server) -> DataSet:
    """A small set, of which the packed files' published sums are swapped, as PatchCamelyon's are."""
    server.files = {f"/{name}": content for name, content in PACKED.items()} | {"/a.csv": TABLE}
    files = [
        RemoteFile(name, 1000, ("0" * 32,), md5(CONTENT[name.removesuffix(".gz")]))
        for name in PACKED
    ]
    files.append(RemoteFile("a.csv", 1000, ("0" * 32, md5(TABLE))))
    return DataSet("Two tiles", "CC0 1.0", server.address, tuple(files))


def test_everything_comes_checked_and_unpacked(data_set: DataSet, tmp_path: Path) -> None:
    said: list[str] = []
    result = fetch("mini", data_set, tmp_path / "new", say=said.append)
    assert sorted(result.fetched) == sorted([*CONTENT, "a.csv"])
    assert result.kept == []
    assert {path.name for path in (tmp_path / "new").iterdir()} == {*CONTENT, "a.csv"}
    for name, content in CONTENT.items():
        assert (tmp_path / "new" / name).read_bytes() == content
    assert len(said) == 1
    for fact in ("Two tiles", "3 files", "GB", data_set.address, "CC0 1.0", str(tmp_path)):
        assert fact in said[0]
    source = open_source(tmp_path / "new")
    assert [tile.label for tile in source.tiles] == ["0", "1"]


def test_what_is_there_is_checked_and_kept(
    data_set: DataSet, server: Server, tmp_path: Path
) -> None:
    fetch("mini", data_set, tmp_path)
    asked = len(server.requests)
    assert fetch("mini", data_set, tmp_path, offline=True).fetched == []
    (tmp_path / f"{PCAM}test_x.h5").unlink()
    assert fetch("mini", data_set, tmp_path).fetched == [f"{PCAM}test_x.h5"]
    assert len(server.requests) == asked + 1
    (tmp_path / f"{PCAM}test_x.h5").write_bytes(b"altered")
    with pytest.raises(InputError, match=r"test_x\.h5: its MD5 is not that of the published file"):
        fetch("mini", data_set, tmp_path)


def test_what_is_not_the_published_file_is_refused_and_deleted(
    data_set: DataSet, server: Server, tmp_path: Path
) -> None:
    wrong = gzip.compress(b"something else", mtime=0)
    server.files[f"/{PCAM}test_x.h5.gz"] = wrong
    with pytest.raises(InputError, match=r"test_x\.h5\.gz: what came is not the published file"):
        fetch("mini", data_set, tmp_path)
    assert not list(tmp_path.glob("*test_x*"))
    # What was right before it stays.
    assert (tmp_path / f"{PCAM}test_y.h5").is_file()


def test_a_file_that_is_not_packed_is_checked_too(
    data_set: DataSet, server: Server, tmp_path: Path
) -> None:
    server.files["/a.csv"] = b"something else"
    with pytest.raises(InputError, match=r"a\.csv: what came is not the published file"):
        fetch("mini", data_set, tmp_path)
    assert not list(tmp_path.glob("a.csv*"))


def test_no_gzip_at_all_is_refused_and_deleted(
    data_set: DataSet, server: Server, tmp_path: Path
) -> None:
    server.files[f"/{PCAM}test_x.h5.gz"] = b"<html>sign in</html>"
    with pytest.raises(InputError, match="not a whole gzip file"):
        fetch("mini", data_set, tmp_path)
    assert not list(tmp_path.glob("*test_x*"))


def test_packed_sums_decide_where_the_content_has_none(server: Server, tmp_path: Path) -> None:
    name = f"{PCAM}test_x.h5.gz"
    server.files = {f"/{name}": PACKED[name]}
    either = DataSet("", "", server.address, (RemoteFile(name, 9, ("1" * 32, md5(PACKED[name]))),))
    assert fetch("mini", either, tmp_path).fetched == [f"{PCAM}test_x.h5"]
    neither = DataSet("", "", server.address, (RemoteFile(name, 9, ("1" * 32,)),))
    with pytest.raises(InputError, match="not the published file"):
        fetch("mini", neither, tmp_path / "other")


def test_without_permission_the_network_is_not_used(
    data_set: DataSet, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="--offline forbids the network"):
        fetch("mini", data_set, tmp_path, offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(SettingsError, match="HF_HUB_OFFLINE=1 forbids the network"):
        fetch("mini", data_set, tmp_path)
    assert server.requests == []


def test_too_small_a_disk_is_said_before_anything_is_fetched(
    data_set: DataSet, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2000))
    with pytest.raises(InputError, match=r"GB are needed, 0\.0 GB are free"):
        fetch("mini", data_set, tmp_path)
    assert server.requests == []


def test_names_and_mirrors() -> None:
    with pytest.raises(SettingsError, match="choose one of pcam, pathmnist"):
        find_data_set("camelyon")
    mirrored = find_data_set("pcam", "http://mirror.example/pcam/")
    assert mirrored.address == "http://mirror.example/pcam"
    assert "CC0" in announcement(mirrored, Path("data"))


@pytest.mark.parametrize("name", sorted(DATA_SETS))
def test_every_published_file_has_a_checksum(name: str) -> None:
    files = DATA_SETS[name].files
    assert len({file.name for file in files}) == len(files)
    for file in files:
        sums = [*file.md5, *([file.unpacked_md5] if file.unpacked_md5 else [])]
        assert sums
        assert all(len(value) == 32 and set(value) <= set("0123456789abcdef") for value in sums)
        assert bool(file.unpacked_md5) == file.name.endswith(".gz")


def test_packed_sums_of_valid_and_test_are_interchangeable() -> None:
    files = {file.name: file for file in DATA_SETS["pcam"].files}
    for kind in ("x.h5.gz", "y.h5.gz", "meta.csv"):
        assert set(files[f"{PCAM}valid_{kind}"].md5) == set(files[f"{PCAM}test_{kind}"].md5)
        assert len(files[f"{PCAM}valid_{kind}"].md5) == 2
