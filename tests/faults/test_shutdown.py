"""A stop finishes what the web has taken: a payment in flight gets its answer."""

import signal
import threading
from uuid import uuid4

import psycopg
import pytest

from tests.faults.conftest import start_platform

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def own_platform(tmp_path_factory):
    """One that nobody needs any more after this."""
    running = start_platform(tmp_path_factory.mktemp("platform"))
    yield running
    running.services.stop()


def test_a_payment_in_flight_is_answered_before_the_web_ends(own_platform):
    ann, bob = own_platform.wallet("5.00"), own_platform.wallet()
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "2.00"}
    answers = []
    paying = threading.Thread(
        target=lambda: answers.append(own_platform.call("POST", "/payments", body, key=uuid4().hex))
    )
    with (
        psycopg.connect(own_platform.env["DATABASE_OWNER_URL"]) as rival,
        psycopg.connect(own_platform.env["TEST_ADMIN_DATABASE_URL"], autocommit=True) as watcher,
    ):
        rival.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (ann,))
        paying.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'money'"
        while watcher.execute(waiting).fetchone() == (0,) and paying.is_alive():
            pass
        own_platform.web.send_signal(signal.SIGTERM)
        rival.rollback()
        paying.join()
        own_platform.web.wait(30)

    [(status, _)] = answers
    assert status == 201
