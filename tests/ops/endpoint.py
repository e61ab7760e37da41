"""An OpenAI-compatible endpoint on a loopback port of its own, that behaves as it is told or does not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

Facts = dict[str, dict[str, str]]
Story = dict[str, Any]


class Endpoint:
    """
    ``mode`` is how it answers: see ``_Handler``; ``tell`` makes the story that it tells of the facts that it is sent.

    ``got`` are the requests as they came: (headers with small letters, body).
    """

    def __init__(self) -> None:
        self.mode = "well"
        self.tell: Callable[[Facts], Any] = tell_truth
        self.usage: Any = {"prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020}
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.ended = threading.Event()
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def close(self) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


def tell_truth(facts: Facts) -> Story:
    settled, failed = facts["payments.settled"], facts["payments.failed"]
    return {
        "title": f"{settled['value']} payments settled",
        "claims": [
            {"text": f"{settled['value']} payments settled in the window.", "facts": ["payments.settled"]},
            {"text": f"{failed['value']} payments failed in the window.", "facts": ["payments.failed"]},
        ],
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: ClassVar[Endpoint]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.endpoint.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        with suppress(OSError):
            if self.path != "/v1/chat/completions":
                self._send(404, b"{}")
            elif self.endpoint.mode.startswith("status"):
                self._send(int(self.endpoint.mode.split()[1]), b'{"error": {"message": "no"}}')
            else:
                getattr(self, self.endpoint.mode)(body)

    def well(self, body: bytes) -> None:
        facts = {fact["key"]: fact for fact in json.loads(json.loads(body)["messages"][1]["content"])["facts"]}
        story = self.endpoint.tell(facts)
        self._complete(story if isinstance(story, str) else json.dumps(story))

    def once_unavailable(self, body: bytes) -> None:
        if len(self.endpoint.got) == 1:
            self._send(503, b"{}")
        else:
            self.well(body)

    def refuse(self, body: bytes) -> None:
        self._complete(None, refusal="I cannot help with that.")

    def filter(self, body: bytes) -> None:
        self._complete("", finish_reason="content_filter")

    def truncate(self, body: bytes) -> None:
        self._complete('{"title": "12 payments settled", "claims": [{"te', finish_reason="length")

    def call_a_tool(self, body: bytes) -> None:
        self._complete(None, finish_reason="tool_calls", tool_calls=[{"function": {"name": "refund"}}])

    def two_choices(self, body: bytes) -> None:
        self._send(200, json.dumps({"choices": [{}, {}]}).encode())

    def html(self, body: bytes) -> None:
        self._send(200, b"<html>Welcome to the hotel's network</html>", {"Content-Type": "text/html"})

    def not_utf8(self, body: bytes) -> None:
        self._send(200, b'{"choices": "\xff\xfe"}')

    def nothing(self, body: bytes) -> None:
        self._send(200, b"")

    def null(self, body: bytes) -> None:
        self._send(200, b"null")

    def deep(self, body: bytes) -> None:
        self._send(200, b"[" * 100_000)

    def hang(self, body: bytes) -> None:
        self.endpoint.ended.wait(60)

    def drip(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self._drip(b" ")

    def drip_headers(self, body: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self._drip(b"x")

    def _drip(self, byte: bytes) -> None:
        while not self.endpoint.ended.is_set():
            self.wfile.write(byte)
            time.sleep(0.05)

    def huge(self, body: bytes) -> None:
        self._flood(200)

    def huge_error(self, body: bytes) -> None:
        self._flood(400)

    def _flood(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(10**10))
        self.end_headers()
        while not self.endpoint.ended.is_set():
            self.wfile.write(b" " * 65536)

    def packed(self, body: bytes) -> None:
        self._send(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})

    def redirect(self, body: bytes) -> None:
        self._send(307, b"", {"Location": f"{self.endpoint.url}/elsewhere"})

    def break_off(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b'{"choices": [')
        self.close_connection = True

    def hang_up(self, body: bytes) -> None:
        self.close_connection = True

    def _complete(self, content: str | None, *, finish_reason: str = "stop", **message: Any) -> None:
        choice = {
            "index": 0, "finish_reason": finish_reason,
            "message": {"role": "assistant", "content": content, "refusal": None} | message,
        }  # fmt: skip
        answer = {"id": "c1", "object": "chat.completion", "model": "m", "choices": [choice]}
        self._send(200, json.dumps(answer | {"usage": self.endpoint.usage}).encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
