"""
The sender: posts what is due, thousands at a time, and writes down what came of it.

One thread asks the database, one event loop talks to receivers. A crash between the two repeats a
delivery, with the same ``webhook-id``, and loses none. Standard Webhooks tells what a receiver may answer.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

import aiohttp
from asgiref.sync import sync_to_async
from cryptography.fernet import InvalidToken
from django.db import DatabaseError, InterfaceError, connection

from events.consuming import consume
from events.envelope import CONTENT_TYPE, envelope, ping_envelope
from events.webhooks.addresses import guarded_socket
from events.webhooks.attempts import Task, Tried, give_up_old, record, take
from events.webhooks.fanout import WEBHOOKS_FIRST
from events.webhooks.signing import headers
from events.working import Halted
from walletplatform.failpoints import fail_point

logger = logging.getLogger(__name__)

SECONDS = 15
CONNECT_SECONDS = 5
READ_BYTES = 1000
# A lane of proven endpoints looks so often; one of the others alone need not.
ROUND_SECONDS, ROUND_SECONDS_OF_OTHERS = 0.05, 0.25
SWEEP_SECONDS = 60
PAUSE_SECONDS = 1
# In-flight tries have so long when the sender is told to stop; the others are repeated by the next one.
STOP_SECONDS = 5
USER_AGENT = "walletplatform-webhooks/1"


class Sender:
    """
    One process's sender. Several share the work: what one has taken the others leave alone.

    ``lanes`` says to which endpoints it sends: True to proven ones, False to the others.
    """

    def __init__(self, lanes: Sequence[bool] = (True, False)) -> None:
        self.lanes = lanes
        self.stopping = asyncio.Event()
        # How many of each endpoint's are under way or not written down yet: of proven ones, and of the others.
        self.busy: dict[bool, Counter[UUID]] = {lane: Counter() for lane in lanes}
        self.done: list[tuple[bool, Tried]] = []
        self.under_way: set[asyncio.Task[None]] = set()
        self.swept = 0.0

    async def run(self, *, until_idle: bool = False) -> None:
        """Send until ``stopping`` is set, or until nothing is due and nothing under way."""
        pause = ROUND_SECONDS if True in self.lanes else ROUND_SECONDS_OF_OTHERS
        _allow_many_sockets()
        async with _session() as session:
            while not self.stopping.is_set():
                began = time.monotonic()
                taken = await self._round(session)
                if until_idle and not (taken or self.under_way or self.done):
                    return
                await asyncio.sleep(max(began + pause - time.monotonic(), 0))
            if self.under_way:
                await asyncio.wait(self.under_way, timeout=STOP_SECONDS)
            if self.done:
                await sync_to_async(record)([tried for _, tried in self.done], datetime.now(UTC))

    async def _round(self, session: aiohttp.ClientSession) -> int:
        """Write what is done and take what is due; return how much was taken."""
        done = list(self.done)
        # What ends from here on counts as under way until it is written: an endpoint's next try knows of all before.
        busy = {
            lane: self.busy[lane] - Counter(tried.task.endpoint.pk for of, tried in done if of == lane)
            for lane in self.lanes
        }
        try:
            due = await sync_to_async(self._write_and_take)([tried for _, tried in done], busy)
        except (DatabaseError, InterfaceError, Halted) as error:
            logger.warning("A round of the sender failed and is tried again: %s", str(error).strip())
            await sync_to_async(connection.close)()
            await asyncio.sleep(PAUSE_SECONDS)
            return 0
        del self.done[: len(done)]
        self.busy = busy
        for lane, task in due:
            self.busy[lane][task.endpoint.pk] += 1
            job = asyncio.create_task(self._try(session, lane, task))
            self.under_way.add(job)
            job.add_done_callback(self.under_way.discard)
        return len(due)

    def _write_and_take(self, done: list[Tried], busy: dict[bool, Counter[UUID]]) -> list[tuple[bool, Task]]:
        """In the database's thread; nothing of ``self`` is changed here but the time of the sweep."""
        if done:
            record(done, datetime.now(UTC))
        if True in self.lanes:
            consume(WEBHOOKS_FIRST)
        if False in self.lanes and time.monotonic() - self.swept >= SWEEP_SECONDS:
            give_up_old()
            self.swept = time.monotonic()
        return [(lane, task) for lane in self.lanes for task in take(busy[lane], proven=lane)]

    async def _try(self, session: aiohttp.ClientSession, lane: bool, task: Task) -> None:
        tried = await _post(session, task)
        fail_point("webhook.sent")
        self.done.append((lane, tried))


async def _post(session: aiohttp.ClientSession, task: Task) -> Tried:
    """Post a message, and read no more of the answer than its beginning."""
    started_at, began = datetime.now(UTC), time.monotonic()
    status, error, answer, wish = None, "", b"", None
    try:
        async with session.post(task.endpoint.url, data=_body(task), headers=_headers(task, started_at),
                                allow_redirects=False) as response:  # fmt: skip
            status, wish = response.status, _wish(response.headers.get("Retry-After", ""), started_at)
            answer = await _beginning(response)
    except TimeoutError:
        error = f"No answer in {SECONDS} s." if status is None else f"The answer did not end in {SECONDS} s."
    except InvalidToken:
        error = "Its secret is encrypted under another SECRET_KEY: name that in SECRET_KEY_FALLBACKS."
    except (aiohttp.ClientError, OSError, ValueError) as failed:
        error = f"{type(failed).__name__}: {failed}"
    except Exception as failed:  # unforeseen: it costs this one try, and no place
        logger.exception("A delivery to %s broke", task.endpoint.pk)
        error = f"{type(failed).__name__}: {failed}"
    milliseconds = round((time.monotonic() - began) * 1000)
    return Tried(task, started_at, milliseconds, status, _clean(error), _clean(answer.decode(errors="replace")), wish)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of an answer. One that ends there leaves its connection for the next message."""
    read = b""
    while len(read) < READ_BYTES and (part := await response.content.read(READ_BYTES - len(read))):
        read += part
    if not response.content.at_eof():
        response.close()
    return read


def _body(task: Task) -> bytes:
    return envelope(task.event) if task.event else ping_envelope(task.delivery.pk, task.delivery.created_at)


def _headers(task: Task, now: datetime) -> dict[str, str]:
    message_id = str(task.event.event_id if task.event else task.delivery.pk)
    signed = headers(task.endpoint, message_id=message_id, body=_body(task), now=now)
    traced = {"traceparent": task.event.traceparent} if task.event and task.event.traceparent else {}
    return signed | traced | {"Content-Type": CONTENT_TYPE, "User-Agent": USER_AGENT}


def _wish(retry_after: str, now: datetime) -> timedelta | None:
    """Read a Retry-After header (RFC 9110, section 10.2.3): seconds or a date; None where it is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return timedelta(seconds=min(int(retry_after[:9]), 10**8))
    try:
        return parsedate_to_datetime(retry_after).astimezone(UTC) - now
    except (ValueError, OverflowError):
        return None


def _clean(text: str) -> str:
    """PostgreSQL keeps no NUL, and nobody wants control characters on a page."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def _session() -> aiohttp.ClientSession:
    # Limits are the sender's own. Looked up without threads: a name server that hangs takes none from others.
    connector = aiohttp.TCPConnector(limit=0, resolver=aiohttp.AsyncResolver(), socket_factory=guarded_socket)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=SECONDS, connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


def _allow_many_sockets() -> None:
    """Systems begin with 1,024 open files at most, and let a process ask for more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
