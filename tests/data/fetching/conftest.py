"""A server on this machine that can be slow of wit: no ranges, cut connections, errors."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Server:
    """What it serves, and how badly.

    Attributes:
        files: Content by path.
        cut_after: Bytes after which a connection is cut, one entry a request.
        ranges: Whether a range is honored.
        errors: Status codes to answer first.
        requests: Path and range of each request that came.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    ranges: bool = True
    errors: list[int] = field(default_factory=list)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.requests.append((self.path, wanted))
            if server.errors:
                self.send_error(server.errors.pop(0))
                return
            content = server.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if wanted and server.ranges and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            part = content[start:] if server.ranges else content
            self.send_response(206 if wanted and server.ranges else 200)
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            limit = server.cut_after.pop(0) if server.cut_after else len(part)
            self.wfile.write(part[:limit])

        def log_message(self, *_arguments: object) -> None:
            return

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    described = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(described)) as listening:
        described.address = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield described
        listening.shutdown()
        thread.join()
