"""Download one file over HTTP: into a ``.part`` file, from where it was cut off."""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from histocli import __version__
from histocli.errors import HistoError, InputError

PART_SUFFIX = ".part"
PIECE_BYTES = 1 << 20
TIMEOUT_S = 30.0
# Where nothing came at all there is probably no network: waiting would not help.
TRIES, TRIES_WITHOUT_A_BYTE = 6, 2
NOT_THE_RANGE = 416
WORTH_ANOTHER_TRY = (408, 425, 429)
Progress = Callable[[int], None]


def download(
    address: str,
    target: Path,
    progress: Progress | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Path:
    """Fetch a file and return the ``.part`` file, whole; the caller checks and renames it.

    What an earlier call left there is continued. A cut connection is tried again, with pauses that grow;
    a try that brought something does not count.

    Args:
        address: An ``http`` or ``https`` address.
        target: Final name; the part lies beside it.
        progress: Called with the number of bytes received.
        wait: Sleeps.

    Raises:
        InputError: If the server cannot be reached, or refuses.
        HistoError: If the disk is full.
    """
    if not address.startswith(("http://", "https://")):
        raise InputError(f"{address}: only http and https are fetched")
    part = target.with_name(target.name + PART_SUFFIX)
    part.parent.mkdir(parents=True, exist_ok=True)
    report = progress or _say_nothing
    report(part.stat().st_size if part.exists() else 0)
    failures, tries = 0, TRIES_WITHOUT_A_BYTE
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _receive(address, part, report):
                return part
            reason = "the connection was cut"
        except urllib.error.HTTPError as error:
            with error:
                reason = f"the server answers {error.code} {error.reason}"
            if error.code < 500 and error.code not in WORTH_ANOTHER_TRY:
                raise InputError(f"{address}: {reason}") from None
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        except OSError as error:
            raise HistoError(f"{part}: cannot be written: {error.strerror or error}") from error
        if part.exists() and part.stat().st_size > before:
            failures, tries = 0, TRIES
        failures += 1
        if failures >= tries:
            raise InputError(
                f"{address}: {reason}; is there a network? Run the same command again to continue, or "
                f"fetch the file elsewhere and put it at {target}"
            )
        wait(min(30.0, 2.0**failures))


_HEADERS = {"User-Agent": f"histocli/{__version__}", "Accept-Encoding": "identity"}


def _receive(address: str, part: Path, progress: Progress) -> bool:
    """One try; True when the file is whole."""
    have = part.stat().st_size if part.exists() else 0
    headers = _HEADERS | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - http, https: checked
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        if error.code != NOT_THE_RANGE or not have:
            raise
        with error:
            whole = error.headers.get("Content-Range", "").rpartition("/")[2]
        if whole == str(have):
            return True
        # Longer than what the server has: another file. Begin anew.
        part.unlink()
        return False
    with response:
        return _write(response, part, have, progress)


def _write(response: HTTPResponse, part: Path, have: int, progress: Progress) -> bool:
    # 200 in place of 206: a server that does not continue sends all again.
    continues = response.status == 206
    length = response.headers.get("Content-Length")
    expected = (have if continues else 0) + int(length) if length else None
    with part.open("ab" if continues else "wb") as file:
        for piece in iter(lambda: response.read(PIECE_BYTES), b""):
            file.write(piece)
            progress(len(piece))
        file.flush()
        os.fsync(file.fileno())
        return expected is None or file.tell() == expected


def _say_nothing(_bytes: int) -> None:
    return
