"""Redis flushed, stopped and gone amid duplicates: no answer changes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

pytestmark = pytest.mark.faults
KEYS, COPIES = 30, 16


def storm(platform, ann, bob):
    """Send each of 30 requests 16 times, all at once; return the answers by key."""
    keys = [uuid4().hex for _ in range(KEYS)]
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00"}

    def send(place):
        return keys[place % KEYS], platform.until_known("/payments", body, key=keys[place % KEYS])

    answers: dict[str, set[tuple[int, bytes]]] = {key: set() for key in keys}
    with ThreadPoolExecutor(16) as pool:
        for key, answer in pool.map(send, range(KEYS * COPIES)):
            answers[key].add(answer)
    return answers


def check(platform, answers, bob):
    assert {len(different) for different in answers.values()} == {1}
    assert {status for different in answers.values() for status, _ in different} == {201}
    assert platform.balance(bob) == f"{KEYS}.00"


def test_flushing_redis_in_a_loop_changes_no_answer(own_platform):
    ann, bob = own_platform.wallet("100.00"), own_platform.wallet()
    ended = threading.Event()

    def flush():
        client = own_platform.services.valkey._client()
        while not ended.is_set():
            client.flushall()

    flushing = threading.Thread(target=flush)
    flushing.start()
    try:
        answers = storm(own_platform, ann, bob)
    finally:
        ended.set()
        flushing.join()

    check(own_platform, answers, bob)


def test_stopping_redis_changes_no_answer(own_platform):
    ann, bob = own_platform.wallet("100.00"), own_platform.wallet()
    own_platform.services.valkey.stop()
    try:
        answers = storm(own_platform, ann, bob)
        ready, _ = own_platform.call("GET", "/assets")
    finally:
        own_platform.services.valkey.start()

    assert ready == 200
    check(own_platform, answers, bob)
