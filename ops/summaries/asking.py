"""
Ask the model, once: an OpenAI-compatible endpoint that may be slow, broken or hostile.

Whatever it does, this ends by the deadline, reads no more than ``MOST_BYTES``, follows nobody elsewhere, and returns
a text or raises ``Misbehaved``. It decides nothing about what the text says.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import httpx2
import orjson
from django.conf import settings

from ops.summaries.models import Summary
from ops.summaries.prompting import MOST_TOKENS_OUT, Prompt

if TYPE_CHECKING:
    import openai

Why = Summary.Why
MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Usage:
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Answer:
    """``usage`` is None where the endpoint did not say, or said what cannot be."""

    text: str
    usage: Usage | None


class Misbehaved(Exception):
    """
    The endpoint gave no text to be judged; ``usage`` is what it took for that, as far as it is known.

    ``again`` says that another try may go better, after ``pause`` seconds.
    """

    def __init__(
        self, why: Why, detail: str = "", *, usage: Usage | None = None, again: bool = False, pause: float = 0.5
    ) -> None:
        super().__init__(f"{why.label}: {detail}")
        self.why, self.detail, self.usage, self.again, self.pause = why, detail, usage, again, pause


NOTHING = Usage(0, 0)


def ask(prompt: Prompt, *, seconds: float) -> Answer:
    """
    Return the model's answer within ``seconds``.

    :raises Misbehaved:
    """
    line, came = _Line(), SimpleQueue[Answer | Exception]()

    def run() -> None:
        try:
            came.put(_read(_send(prompt, line, seconds), prompt))
        except Exception as error:  # noqa: BLE001 (it is raised where somebody waits for it)
            came.put(error)

    # Timeouts are of each read, and none is of looking up a name: only waiting elsewhere has an end for certain.
    threading.Thread(target=run, name="asking the model", daemon=True).start()
    try:
        answer = came.get(timeout=seconds)
    except Empty:
        line.cut()
        raise Misbehaved(Why.NO_ANSWER, f"none within {seconds:.0f} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _send(prompt: Prompt, line: _Line, seconds: float) -> bytes:
    """Return the body of a 200."""
    # It takes a third of the time that every process needs to start, and few ever ask a model.
    import openai

    with (
        httpx2.Client(transport=line, timeout=seconds, follow_redirects=False) as http,
        openai.OpenAI(
            api_key=settings.AI_API_KEY, base_url=settings.AI_BASE_URL, max_retries=0, timeout=seconds, http_client=http
        ) as client,
    ):
        try:
            # The answer's bytes are wanted, not what the client makes of them.
            response = client.post("/chat/completions", cast_to=httpx2.Response, body=_body(prompt))
        except openai.APITimeoutError:
            raise Misbehaved(Why.NO_ANSWER, f"none within {seconds:.0f} s") from None
        except openai.APIStatusError as error:
            raise _turned_away(error) from None
        except openai.APIConnectionError as error:
            never = isinstance(error.__cause__, httpx2.ConnectError)
            raise Misbehaved(
                Why.UNREACHABLE, type(error.__cause__).__name__, usage=NOTHING if never else None, again=True
            ) from None
        return response.content


def _body(prompt: Prompt) -> dict[str, Any]:
    return {
        "model": settings.AI_MODEL,
        "messages": prompt.messages,
        "response_format": prompt.response_format,
        "max_completion_tokens": MOST_TOKENS_OUT,
    }


def _turned_away(error: openai.APIStatusError) -> Misbehaved:
    status, after = error.status_code, error.response.headers.get("Retry-After", "")
    return Misbehaved(
        Why.TURNED_AWAY,
        f"HTTP {status}",
        usage=NOTHING,
        again=status == 429 or status >= 500,
        pause=float(after) if after.isascii() and after.isdigit() else 0.5,
    )


def _read(body: bytes, prompt: Prompt) -> Answer:
    """Read a completion as strictly as it is described, not as its sender happens to write it."""
    try:
        given = orjson.loads(body)
        [choice] = given["choices"]
        message, reason = choice["message"], choice["finish_reason"]
        text, refusal = message.get("content"), message.get("refusal")
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        raise Misbehaved(Why.GARBAGE, "no completion") from None
    usage = _usage(given.get("usage"), prompt)
    if refusal or reason == "content_filter":
        raise Misbehaved(Why.REFUSED, usage=usage)
    if reason == "length":
        raise Misbehaved(Why.TRUNCATED, usage=usage)
    if reason != "stop" or not isinstance(text, str):
        raise Misbehaved(Why.GARBAGE, "no text", usage=usage)
    return Answer(text, usage)


def _usage(given: Any, prompt: Prompt) -> Usage | None:
    """What the endpoint says that it took; None where that is not possible."""
    if not isinstance(given, dict):
        return None
    tokens_in, tokens_out = given.get("prompt_tokens"), given.get("completion_tokens")
    possible = (
        isinstance(tokens_in, int) and 0 <= tokens_in <= prompt.most_tokens_in
        and isinstance(tokens_out, int) and 0 <= tokens_out <= MOST_TOKENS_OUT
    )  # fmt: skip
    return Usage(tokens_in, tokens_out) if possible else None  # type: ignore[arg-type]


class _Line(httpx2.BaseTransport):
    """A connection that can be cut while somebody reads from it, and that reads so many bytes only."""

    def __init__(self) -> None:
        self._transport = httpx2.HTTPTransport()
        self._stream: Any = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        # Nothing small that unpacks to something huge.
        request.headers["Accept-Encoding"] = "identity"
        request.extensions = {**request.extensions, "trace": self._trace}
        response = self._transport.handle_request(request)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            raise Misbehaved(Why.GARBAGE, "a packed answer")
        assert isinstance(response.stream, httpx2.SyncByteStream)
        return httpx2.Response(
            response.status_code, headers=response.headers, stream=_Limited(response.stream),
            extensions=response.extensions,
        )  # fmt: skip

    def cut(self) -> None:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._transport.close()

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._stream = info["return_value"]


class _Limited(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        left = MOST_BYTES
        for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise Misbehaved(Why.TOO_LONG, f"more than {MOST_BYTES // 1024} KiB")
            yield chunk

    def close(self) -> None:
        self._stream.close()
