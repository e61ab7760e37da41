"""Receivers of webhooks, good and bad, on a loopback port of their own."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


class Receiver:
    """
    What it answers hangs on the path: a status, ``/hang``, ``/drip``, ``/huge``, ``/nul`` or ``/redirect?to``.

    ``got`` is what came, as (path, headers with small letters, body), and ``times`` when it did.
    """

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.times: list[float] = []
        self.ended = threading.Event()
        handler = type("Handler", (_Handler,), {"receiver": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def bodies(self, path: str) -> list[bytes]:
        return [body for to, _, body in self.got if to == path]

    def close(self) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: ClassVar[Receiver]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.times.append(time.time())
        self.receiver.got.append((self.path, headers, body))
        with suppress(OSError):
            self._answer(self.path.partition("?"))

    do_GET = do_POST

    def _answer(self, path: tuple[str, str, str]) -> None:
        what, _, query = path
        if what == "/hang":
            self.receiver.ended.wait(60)
        elif what == "/drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not self.receiver.ended.is_set():
                self.wfile.write(b".")
                time.sleep(0.2)
        elif what == "/huge":
            self.send_response(200)
            self.send_header("Content-Length", str(10**10))
            self.end_headers()
            while not self.receiver.ended.is_set():
                self.wfile.write(b"x" * 65536)
        elif what == "/redirect":
            self._send(307, {"Location": query})
        elif what == "/nul":
            self._send(500, {}, b"a\0b\x1b[31m")
        else:
            self._send(int(what[1:4]), {"Retry-After": query} if query else {}, b"thank you")

    def _send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
