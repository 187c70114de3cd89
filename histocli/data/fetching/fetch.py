"""Fetch a public data set: download, check, unpack; what is there already is checked and kept."""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from histocli.data.fetching.catalog import DATA_SETS, DataSet, RemoteFile
from histocli.data.fetching.download import PART_SUFFIX, download
from histocli.data.layouts.unpacking import unpack
from histocli.errors import InputError, SettingsError

# A packed file of tiles unpacks to about a fifth more.
UNPACKED_SHARE = 1.2
OFFLINE_VARIABLE = "HF_HUB_OFFLINE"


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What lies in the folder now.

    Attributes:
        fetched: Files that this call brought.
        kept: Files that were there and are right.
    """

    folder: Path
    fetched: Sequence[str]
    kept: Sequence[str]


def find_data_set(name: str, mirror: str | None = None) -> DataSet:
    """A data set by name, from its own address or a mirror's.

    Raises:
        SettingsError: If it is unknown.
    """
    if name not in DATA_SETS:
        raise SettingsError(f"unknown data set {name!r}; choose one of {', '.join(DATA_SETS)}")
    data_set = DATA_SETS[name]
    return data_set if mirror is None else replace(data_set, address=mirror.rstrip("/"))


def announcement(data_set: DataSet, folder: Path) -> str:
    """What, from where, how large and under which licence: said before anything is fetched."""
    size = sum(file.about_bytes for file in data_set.files) / 1e9
    return (
        f"fetching {data_set.title}; {len(data_set.files)} files, about {size:.1f} GB, from "
        f"{data_set.address}, licence {data_set.licence}, to {folder}"
    )


def check_online(name: str, *, offline: bool) -> None:
    """Refuse to use the network where it is forbidden.

    Raises:
        SettingsError: With ``--offline`` or ``HF_HUB_OFFLINE=1``.
    """
    forbidden = os.environ.get(OFFLINE_VARIABLE, "").strip().lower() in ("1", "true", "yes", "on")
    if offline or forbidden:
        why = "--offline" if offline else f"{OFFLINE_VARIABLE}=1"
        raise SettingsError(
            f"{name} is not all there, and {why} forbids the network; run without it, or copy the files "
            "from a machine that has them"
        )


def fetch(
    name: str,
    data_set: DataSet,
    folder: Path,
    *,
    offline: bool = False,
    say: Callable[[str], None] | None = None,
    progress: Callable[[str, int], Callable[[int], None]] | None = None,
) -> FetchResult:
    """Bring all files of a data set into a folder.

    Args:
        name: Its key, for messages.
        data_set: What to fetch.
        folder: Where to.
        offline: Use no network: only check what is there.
        say: Receives one line a step.
        progress: Called with a file's name and its size when it begins; gives what is to be called
            with the bytes received.

    Raises:
        InputError: If a file cannot be had or is not the right one.
        SettingsError: If something is missing and the network is forbidden.
    """
    say = say or _say_nothing
    kept = [file for file in data_set.files if _is_there(file, folder, say)]
    wanted = [file for file in data_set.files if file not in kept]
    if wanted:
        check_online(name, offline=offline)
        _check_room(wanted, folder)
        say(announcement(data_set, folder))
    for file in wanted:
        target = folder / file.name
        report = progress(file.name, file.about_bytes) if progress else None
        part = download(f"{data_set.address}/{file.name}", target, report)
        _accept(file, part, folder)
    return FetchResult(folder, [_final_name(f) for f in wanted], [_final_name(f) for f in kept])


def _final_name(file: RemoteFile) -> str:
    return file.name.removesuffix(".gz")


def _is_there(file: RemoteFile, folder: Path, say: Callable[[str], None]) -> bool:
    path = folder / _final_name(file)
    if not path.is_file():
        return False
    sums = [file.unpacked_md5] if file.unpacked_md5 else file.md5
    if path.name == file.name or file.unpacked_md5:
        say(f"checking {path}")
        if _md5(path) not in sums:
            raise InputError(
                f"{path}: its MD5 is not that of the published file; move it away and run again"
            )
    return True


def _accept(file: RemoteFile, part: Path, folder: Path) -> None:
    """Give a downloaded file its final name, if it is what was published."""
    target = folder / _final_name(file)

    def check(found: str) -> None:
        if file.unpacked_md5 and found != file.unpacked_md5:
            _refuse(file, part, found, [file.unpacked_md5])

    if target.name == file.name or not file.unpacked_md5:
        found = _md5(part)
        if file.md5 and found not in file.md5:
            _refuse(file, part, found, file.md5)
    if target.name == file.name:
        part.replace(target)
        return
    try:
        unpack(part, target, check)
    except InputError:
        # Whole by its length, and yet not right: continuing it would not help.
        if part.is_file() and _md5(part) not in file.md5:
            part.unlink()
        raise
    part.unlink()


def _refuse(file: RemoteFile, part: Path, found: str, accepted: Sequence[str]) -> None:
    part.unlink(missing_ok=True)
    raise InputError(
        f"{file.name}: what came is not the published file (MD5 {found}, expected "
        f"{' or '.join(accepted)}); it was deleted, run again to fetch it anew"
    )


def _check_room(files: Sequence[RemoteFile], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parts = [folder / f"{file.name}{PART_SUFFIX}" for file in files]
    packed = [file.about_bytes for file in files if file.name.endswith(".gz")]
    # Unpacked one by one; the packed file is deleted after it.
    needed = sum(file.about_bytes for file in files) + max(packed, default=0)
    needed += int((UNPACKED_SHARE - 1) * sum(packed))
    needed -= sum(part.stat().st_size for part in parts if part.is_file())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{folder}: about {needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free; name "
            "another folder with --output"
        )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _say_nothing(_message: str) -> None:
    return
