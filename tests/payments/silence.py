"""A way to the database that can fall silent: it keeps its connections, and takes what it is sent."""

from __future__ import annotations

import socket
import threading


class Silence:
    """
    Forwards to a server until ``fall`` is called, or the client says ``last_words``.

    What the client says from then on still arrives in the second case; there is no answer in either.
    """

    def __init__(self, host: str, port: int) -> None:
        self.server = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.last_words = b""
        self.silent = threading.Event()
        self.kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def fall(self) -> None:
        self.silent.set()

    def speak(self) -> None:
        """Forward again what comes on connections made from now on."""
        self.last_words = b""
        self.silent = threading.Event()

    def close(self) -> None:
        for end in [self.listener, *self.kept]:
            end.close()

    def _serve(self) -> None:
        while True:
            try:
                client = self.listener.accept()[0]
                server = socket.create_connection(self.server)
            except OSError:
                return
            self.kept += [client, server]
            silent = self.silent
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink, client, silent), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, client: socket.socket, silent: threading.Event) -> None:
        try:
            while said := source.recv(65536):
                if silent.is_set() and not (self.last_words and source is client):
                    continue
                if self.last_words and self.last_words in said:
                    silent.set()
                sink.sendall(said)
            if not silent.is_set():
                sink.close()
        except OSError:
            sink.close()
