"""Redis makes things faster and is never needed: slow, gone, flushed or lying, every answer stays the same."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.conf import settings as configured
from redis import Redis

from ledger.database import epoch, money_pool
from tests.actors import actor
from tests.conftest import REAL_REDIS_SECONDS
from tests.money import snapshot, value
from walletplatform.api.problems import Problem
from walletplatform.cache import limits, redis, replays, turns
from walletplatform.observability import metrics

LISTENER = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def closed_breaker(monkeypatch):
    """With the patience that it has in earnest."""
    monkeypatch.setattr(redis, "SECONDS", REAL_REDIS_SECONDS)
    redis._client.cache_clear()
    redis.breaker.note(success=True)
    yield
    redis.breaker.note(success=True)
    redis._client.cache_clear()


@pytest.fixture
def valkey():
    return Redis.from_url(configured.REDIS_URL)


@pytest.fixture
def gone(settings):
    """Nobody listens there."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"


@pytest.fixture
def slow(settings):
    """A server that takes connections and never says a word: stopped, as by SIGSTOP."""
    silent = subprocess.Popen([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, text=True)
    assert silent.stdout
    settings.REDIS_URL = f"redis://127.0.0.1:{int(silent.stdout.readline())}/0"
    os.kill(silent.pid, signal.SIGSTOP)
    yield
    silent.kill()
    silent.wait()


def called(use, result):
    return metrics.REDIS.labels(use, result)._value.get()


def key_of(shop, key):
    return f"idempotency:{shop.id}:{key}"


def test_a_repeated_request_is_answered_from_redis_byte_for_byte(shop, valkey):
    ann, bob, key = shop.wallet(holding="5.00"), shop.wallet(), uuid4().hex
    first = shop.pay(ann, bob, "1.00", key=key)
    assert valkey.get(key_of(shop, key)).endswith(first.content)
    batches = value("SELECT count(*) FROM idempotency_keys")
    before = metrics.REPLAYS._value.get()

    again = shop.pay(ann, bob, "1.00", key=key)

    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (201, first.content, "true")
    assert (metrics.REPLAYS._value.get(), value("SELECT count(*) FROM idempotency_keys")) == (before + 1, batches)
    assert shop.pay(ann, bob, "2.00", key=key).json()["code"] == "idempotency_key_reused"


def test_what_was_not_kept_is_not_remembered(shop, valkey):
    ann, key = shop.wallet(holding="5.00"), uuid4().hex

    assert shop.pay(ann, str(uuid4()), "1.00", key=key).status_code == 404

    assert valkey.get(key_of(shop, key)) is None


def test_a_decline_is_remembered_too(shop, valkey):
    ann, bob, key = shop.wallet(), shop.wallet(), uuid4().hex
    declined = shop.pay(ann, bob, "1.00", key=key)
    shop.post("/topups", {"wallet_id": ann, "amount": "5.00"})

    assert valkey.get(key_of(shop, key)).endswith(declined.content)
    assert shop.pay(ann, bob, "1.00", key=key).content == declined.content


LIES = [b"", b"x", b"{}", b"[1,2]\nbody", b'["other",   "00", 201]\n{}', b'["%s", "zz", 201]\n{}', b"\x00" * 100]


@pytest.mark.parametrize("lie", LIES)
def test_what_redis_says_wrongly_is_not_believed(shop, valkey, lie):
    ann, bob, key = shop.wallet(holding="5.00"), shop.wallet(), uuid4().hex
    first = shop.pay(ann, bob, "1.00", key=key)
    valkey.set(key_of(shop, key), lie.replace(b"%s", epoch().encode()))
    before = snapshot()

    again = shop.pay(ann, bob, "1.00", key=key)

    assert (again.status_code, again.content) == (201, first.content)
    assert snapshot() == before


def test_an_answer_of_another_history_of_the_database_is_not_given(shop, valkey):
    """As after a restore to an earlier moment: Redis knows of a payment that the database does not."""
    ann, bob, key = shop.wallet(holding="5.00"), shop.wallet(), uuid4().hex
    shop.pay(ann, bob, "1.00", key=key)
    stored = valkey.get(key_of(shop, key))
    assert stored.startswith(b'["' + epoch().encode())
    other = uuid4().hex
    valkey.set(key_of(shop, other), stored.replace(epoch().encode(), b"1:1"))

    assert "Idempotency-Replayed" not in shop.pay(ann, bob, "1.00", key=other)
    assert shop.balance(bob) == "2.00"


@pytest.mark.parametrize("illness", ["gone", "slow"])
def test_without_redis_everything_is_answered_the_same_and_soon_nobody_asks(request, shop, illness):
    ann, bob = shop.wallet(holding="50.00"), shop.wallet()
    request.getfixturevalue(illness)
    failed, skipped = called("replays", "failed"), called("replays", "skipped")
    keys = [uuid4().hex for _ in range(8)]

    firsts = [shop.pay(ann, bob, "1.00", key=key) for key in keys]
    again = [shop.pay(ann, bob, "1.00", key=key) for key in keys]

    assert [answer.status_code for answer in firsts] == [201] * 8
    assert [answer.content for answer in again] == [answer.content for answer in firsts]
    assert shop.balance(bob) == "8.00"
    assert called("replays", "failed") + called("limits", "failed") > failed
    assert called("replays", "skipped") > skipped


def test_a_call_is_given_no_more_than_a_tenth_of_a_second():
    client = redis._client(os.getpid(), configured.REDIS_URL)
    options = client.connection_pool.connection_kwargs
    assert options["socket_timeout"] + options["socket_connect_timeout"] <= 0.1
    assert options["retry"]._retries == 0


def test_the_breaker_lets_one_try_again_after_a_while(monkeypatch, gone, settings):
    for _ in range(redis.FAILURES):
        assert redis.ask("turns", lambda client: client.ping(), None) is None
    assert not redis.breaker.allows()
    settings.REDIS_URL = configured.REDIS_URL
    redis.breaker.closed_again = 0.0

    assert redis.breaker.allows()
    assert not redis.breaker.allows()


def test_payments_one_by_one_take_turns_and_pay_as_ever(shop, settings, valkey):
    settings.GROUP_COMMIT = False
    ann, bob = shop.wallet(holding="5.00"), shop.wallet()
    answered = called("turns", "answered")

    assert shop.pay(ann, bob, "1.00").status_code == 201

    assert called("turns", "answered") == answered + 4  # two taken, two given back
    assert valkey.get(f"wallet:lock:{ann}") is None


def test_whoever_waits_long_enough_goes_on_without_a_turn(monkeypatch, valkey, shop, settings):
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    settings.GROUP_COMMIT = False
    ann, bob = shop.wallet(holding="5.00"), shop.wallet()
    valkey.set(f"wallet:lock:{ann}", "somebody else", px=10_000)

    assert shop.pay(ann, bob, "1.00").status_code == 201

    assert valkey.get(f"wallet:lock:{ann}") == b"somebody else"


def spent(limit, caller, times):
    refused = 0
    for _ in range(times):
        try:
            limit.take(caller)
        except Problem as problem:
            refused += problem.code == "rate_limited"
    return refused


@pytest.mark.parametrize("illness", [None, "gone"])
def test_a_caller_has_its_rate_and_no_more(request, monkeypatch, illness):
    monkeypatch.setattr(limits, "time", lambda: 1_000_000.5)
    if illness:
        request.getfixturevalue(illness)
    limit, caller = limits.RateLimit("test", 20), uuid4().hex

    assert spent(limit, caller, 50) == 30
    assert spent(limit, uuid4().hex, 20) == 0
    monkeypatch.setattr(limits, "time", lambda: 1_000_001.5)
    assert spent(limit, caller, 20) == 0


def test_processes_share_a_rate(monkeypatch):
    monkeypatch.setattr(limits, "time", lambda: 2_000_000.5)
    caller = uuid4().hex
    one, other = limits.RateLimit("shared" + caller, 20), limits.RateLimit("shared" + caller, 20)

    assert spent(one, caller, 12) + spent(other, caller, 12) >= 2


def test_who_has_used_up_a_second_asks_redis_no_more_in_it(monkeypatch):
    monkeypatch.setattr(limits, "time", lambda: 3_000_000.5)
    limit, caller = limits.RateLimit("spent" + uuid4().hex, 20), uuid4().hex
    spent(limit, caller, 20)
    before = called("limits", "answered")

    assert spent(limit, caller, 200) == 200
    assert called("limits", "answered") <= before + 1


def test_one_callers_round_trip_holds_up_no_others(settings):
    """This Redis answers only when two of them ask at once; one after the other, the first would have no answer."""
    both = threading.Barrier(2, timeout=5)

    def answer(connection):
        with connection:
            while asked := connection.recv(4096):
                if b"INCRBY" in asked:
                    both.wait()
                connection.sendall(b":1\r\n:1\r\n" if b"INCRBY" in asked else b"+OK\r\n" * asked.count(b"CLIENT"))

    def serve():
        for _ in range(2):
            threading.Thread(target=answer, args=[listener.accept()[0]], daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1]}/0?protocol=2"
    threading.Thread(target=serve, daemon=True).start()
    limit, failed = limits.RateLimit("together", 20), called("limits", "failed")
    # Callers share a few locks, by a hash that is another in each process.
    bob = next(name for name in map(str, range(99)) if hash(name) % limits.LOCKS != hash("ann") % limits.LOCKS)

    with listener, ThreadPoolExecutor(2) as pool:
        list(pool.map(limit.take, ["ann", bob]))

    assert called("limits", "failed") == failed


def test_too_many_requests_are_told_when_to_come_back(monkeypatch, shop):
    from walletplatform.api import views

    ann, bob = shop.wallet(holding="5.00"), shop.wallet()
    before = snapshot()
    monkeypatch.setattr(views, "_PRINCIPALS", limits.RateLimit("principal", 1))
    answers = [shop.pay(ann, bob, "1.00") for _ in range(6)]
    refused = next(answer for answer in answers if answer.status_code == 429)

    assert (refused.json()["code"], refused.json()["retryable"], refused["Retry-After"]) == ("rate_limited", True, "1")
    assert (refused["RateLimit-Policy"], refused["RateLimit"]) == ('"principal";q=1;w=1', '"principal";r=0;t=1')
    assert snapshot() != before or all(answer.status_code == 429 for answer in answers)


def test_tokens_are_limited_by_address(monkeypatch):
    from walletplatform.identity import views

    monkeypatch.setattr(views, "TOKENS", limits.RateLimit("tokens", 1))
    guess = {"client_id": str(uuid4()), "client_secret": "wrong"}

    codes = {actor("client").send("POST", "/auth/token", guess).status_code for _ in range(6)}

    assert codes <= {401, 429}
    assert 429 in codes


def test_replays_are_remembered_for_a_day(valkey):
    key = (uuid4(), "k")
    with money_pool().connection():
        replays.remember([(key, (b"f", 201, b"{}"))], epoch="e")

    assert 0 < valkey.ttl(f"idempotency:{key[0]}:k") <= replays.DAY
    assert replays.recall([key], epoch="e") == {key: (b"f", 201, b"{}")}
    assert replays.recall([key], epoch="other") == {}
