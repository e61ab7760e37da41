"""SIGKILL under load: nothing acknowledged is lost, nothing is doubled, and every key resolves."""

import json
import time
from uuid import uuid4

import psutil
import pytest

pytestmark = pytest.mark.faults
KILLS = 20


def check(platform, wallets, answers):
    """Every key stands for one payment that happened once, and the ledger says so too."""
    assert {status for status, _ in answers.values()} == {201}
    paid = sum(float(platform.balance(wallet)) for wallet in wallets[1:])
    assert paid == len(answers)
    for key, (status, body) in list(answers.items())[-20:]:
        receiver = json.loads(body)["receiver_wallet_id"]
        again = {"sender_wallet_id": wallets[0], "receiver_wallet_id": receiver, "amount": "1.00"}
        assert platform.until_known("/payments", again, key=key) == (status, body)
    assert "The ledger is right." in platform.manage("verify_ledger")


def test_a_killed_web_worker_loses_and_doubles_nothing(own_platform):
    wallets = [own_platform.wallet("1000000.00"), *(own_platform.wallet() for _ in range(4))]

    def kill_workers():
        for _ in range(KILLS):
            # The oldest of four: the server gives up on one that dies within 5.5 s of its start.
            min(own_platform.workers(), key=lambda worker: worker.create_time()).kill()
            time.sleep(1.6)

    answers = own_platform.under_load(wallets, kill_workers)

    assert len(answers) > KILLS
    assert 0 in own_platform.statuses
    check(own_platform, wallets, answers)


def test_a_killed_postgresql_loses_and_doubles_nothing(own_platform):
    wallets = [own_platform.wallet("1000000.00"), *(own_platform.wallet() for _ in range(4))]
    own_platform.statuses.clear()
    postgres = own_platform.services.postgres
    killed = set()

    def kill_postgres():
        for _ in range(KILLS):
            time.sleep(0.5)
            server = psutil.Process(postgres.pid())
            server.kill()
            killed.add(server.pid)
            postgres.start()

    answers = own_platform.under_load(wallets, kill_postgres)

    # Each kill took the server down. Whether a caller saw a 503 is up to how fast it came back.
    assert len(killed) == KILLS
    assert len(answers) > KILLS
    assert set(own_platform.statuses) <= {201, 409, 429, 503, 504}
    check(own_platform, wallets, answers)


def test_a_payment_answered_before_a_kill_is_there_after_it(own_platform):
    ann, bob, key = own_platform.wallet("5.00"), own_platform.wallet(), uuid4().hex
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "2.00"}
    answer = own_platform.call("POST", "/payments", body, key=key)

    psutil.Process(own_platform.services.postgres.pid()).kill()
    own_platform.services.postgres.start()

    assert own_platform.until_known("/payments", body, key=key) == answer
    assert own_platform.balance(bob) == "2.00"


def test_after_an_outage_nobody_is_refused_because_of_it(own_platform):
    wallet = own_platform.wallet("5.00")
    postgres = own_platform.services.postgres
    postgres.stop()
    try:
        # For so long that attempts with ever longer pauses would be far apart by the end.
        until = time.monotonic() + 9
        while time.monotonic() < until:
            assert own_platform.call("GET", f"/wallets/{wallet}")[0] in (503, 504)
    finally:
        postgres.start()
    time.sleep(2)

    read = {own_platform.call("GET", f"/wallets/{wallet}")[0] for _ in range(40)}
    paid = {own_platform.call("POST", "/topups", {"wallet_id": wallet, "amount": "1.00"}, key=uuid4().hex)[0]
            for _ in range(40)}  # fmt: skip
    assert (read, paid) == ({200}, {201})
