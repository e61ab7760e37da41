"""A TCP proxy on loopback, that a test can cut: as if somebody pulled the cable."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Proxy:
    """Passes on what comes to ``port``; the other side is told by ``lead_to``, when it is known."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.target: tuple[str, int] | None = None
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, host: str, port: int) -> None:
        self.target = (host, port)

    def cut(self) -> None:
        """End every connection, and take none until it is mended."""
        with self.lock:
            self.is_cut = True
            for one in self.open:
                _end(one)

    def mend(self) -> None:
        with self.lock:
            self.is_cut = False

    def close(self) -> None:
        self.cut()
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self.listener.accept()
            except OSError:
                return
            try:
                assert self.target is not None
                outer = socket.create_connection(self.target, timeout=5)
            except OSError:
                inner.close()
                continue
            outer.settimeout(None)
            with self.lock:
                if self.is_cut:
                    inner.close()
                    outer.close()
                    continue
                self.open |= {inner, outer}
            for source, sink in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for one in (source, sink):
            _end(one)
        with self.lock:
            self.open -= {source, sink}


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
