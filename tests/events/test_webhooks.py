"""Sending webhooks: signed, in the bytes of the log, tried for three days, and nobody kept waiting."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from standardwebhooks import Webhook, WebhookVerificationError

from events import log
from events.consuming import consume, rebuild, replay
from events.envelope import envelope
from events.models import WebhookEndpoint
from events.webhooks import sending
from events.webhooks.attempts import SCHEDULE, record, take
from tests.events.hooks import WEBHOOKS, deliveries, due_now, execute, log_all, send, tried
from tests.events.receivers import Receiver
from tests.ledger.test_database_rules import connect
from tests.money import value


def test_what_happens_is_sent_signed_in_the_bytes_of_the_log(shop, receiver, endpoint, wallets):
    made = endpoint(types=["payment.settled"])
    paid = shop.pay(*wallets, "1.00").json()["id"]
    shop.pay(*wallets, "1000.00")

    send()

    [(path, headers, body)] = receiver.got
    event = next(one for one in log.read(after=0, limit=10**6) if str(one.subject) == paid)
    assert (path, body, headers["webhook-id"]) == ("/200", envelope(event), str(event.event_id))
    assert headers["content-type"] == "application/cloudevents+json"
    assert Webhook(made["secret"]).verify(body, headers)["subject"] == paid
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(body.replace(b"1.00", b"9.00"), headers)
    [delivery] = deliveries(shop, made)
    assert (delivery["state"], delivery["attempts"]) == ("DELIVERED", 1)
    [attempt] = tried(shop, delivery)
    assert (attempt["status"], attempt["answer"], attempt["error"]) == (200, "thank you", None)


def test_what_fails_is_tried_ten_times_over_three_days_and_then_given_up_visibly(shop, receiver, endpoint, wallets):
    made = endpoint("/500", types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    waits = []
    for _ in range(len(SCHEDULE) + 1):
        send()
        [delivery] = deliveries(shop, made)
        if delivery["state"] == "PENDING":
            waits.append(
                value("SELECT due_at - clock_timestamp() FROM webhook_deliveries WHERE id = %s", delivery["id"])
            )
        due_now()
    send()

    assert [round(wait / timedelta(seconds=1), -1) for wait in waits[1:]] == [
        round(step / timedelta(seconds=1), -1) for step in SCHEDULE[1:]
    ]
    assert timedelta(days=3) < sum(SCHEDULE, timedelta()) < timedelta(days=3.5)
    [delivery] = deliveries(shop, made, state="DEAD")
    assert (delivery["attempts"], len(receiver.got), delivery["next_attempt_at"]) == (10, 10, None)
    assert len({body for _, _, body in receiver.got}) == 1
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert [attempt["status"] for attempt in tried(shop, delivery)] == [500] * 10


@pytest.mark.parametrize(
    ("path", "seconds"), [("/503?120", 120), ("/429?7200", 7200), ("/500?1", 5), ("/429?999999999", 86400),
                          ("/500?-5", 5), ("/500?soon", 5)],
)  # fmt: skip
def test_a_retry_after_is_honoured_within_bounds(shop, receiver, endpoint, wallets, path, seconds):
    made = endpoint(path, types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    send()
    [delivery] = deliveries(shop, made)
    wait = value(
        "SELECT extract(epoch FROM due_at - (SELECT max(started_at) FROM webhook_attempts WHERE delivery_id = d.id))"
        " FROM webhook_deliveries d WHERE id = %s", [delivery["id"]],
    )  # fmt: skip
    assert seconds <= wait < seconds + 5


def test_410_switches_the_endpoint_off_and_the_client_may_switch_it_on(shop, receiver, endpoint, wallets):
    made = endpoint("/410", types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    send()
    path = f"/webhook-endpoints/{made['id']}"
    gone = shop.get(path).json()
    assert (gone["enabled"], gone["disabled_reason"]) == (False, "It answered 410 Gone.")
    shop.pay(*wallets, "1.00")
    due_now()
    send()
    assert len(receiver.got) == 1

    on = shop.send("PATCH", path, {"enabled": True, "url": receiver.url("/200")}).json()
    assert (on["enabled"], on["disabled_reason"], on["failures"]) == (True, None, 0)
    send()
    assert len(receiver.bodies("/200")) == 1


@pytest.mark.parametrize("status", [307, 301, 304, 404, 199 + 201])
def test_a_redirect_is_a_failure_and_is_not_followed(shop, receiver, endpoint, wallets, status):
    canary = Receiver()
    made = endpoint("/redirect?" + canary.url("/200") if status == 307 else f"/{status}", types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    send()
    assert canary.got == []
    assert deliveries(shop, made)[0]["state"] == "PENDING"
    canary.close()


def test_an_answer_without_end_and_one_with_control_characters_are_kept_short_and_clean(
    shop, receiver, endpoint, wallets, monkeypatch
):
    monkeypatch.setattr(sending, "SECONDS", 2)
    huge, dripping, nul, hanging = (
        endpoint(path, types=["payment.settled"]) for path in ("/huge", "/drip", "/nul", "/hang")
    )
    shop.pay(*wallets, "1.00")
    send()
    [delivery] = deliveries(shop, huge)
    assert (delivery["state"], tried(shop, delivery)[0]["answer"]) == ("DELIVERED", "x" * 1000)
    [delivery] = deliveries(shop, dripping)
    [attempt] = tried(shop, delivery)
    assert (delivery["state"], attempt["error"]) == ("DELIVERED", "The answer did not end in 2 s.")
    [delivery] = deliveries(shop, hanging)
    [attempt] = tried(shop, delivery)
    assert (delivery["state"], attempt["status"], attempt["error"]) == ("PENDING", None, "No answer in 2 s.")
    [delivery] = deliveries(shop, nul)
    assert tried(shop, delivery)[0]["answer"] == "a\ufffdb\ufffd[31m"


def test_a_name_that_leads_inside_by_now_is_not_connected_to(shop, receiver, endpoint, wallets, settings):
    """Saved while it was allowed, as if the name had led outside then."""
    by_name = endpoint("/200", types=["payment.settled"])
    WebhookEndpoint.objects.filter(pk=by_name["id"]).update(url=receiver.url("/200").replace("127.0.0.1", "localhost"))
    as_address = endpoint("/200", types=["payment.settled"])
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = False
    shop.pay(*wallets, "1.00")
    send()
    assert receiver.got == []
    for made in (by_name, as_address):
        [delivery] = deliveries(shop, made)
        assert "not a public address" in tried(shop, delivery)[0]["error"]


def test_an_endpoint_that_fails_is_spared_and_begins_anew_with_its_first_success(
    shop, receiver, endpoint, wallets, monkeypatch
):
    monkeypatch.setattr("events.webhooks.attempts.SPARED_SECONDS", 600.0)
    made = endpoint("/500", types=["payment.settled"])
    for _ in range(8):
        shop.pay(*wallets, "1.00")
    send()
    # One at a time while it has never answered, and after three failures a rest.
    assert len(receiver.got) == 3
    stored = WebhookEndpoint.objects.get(pk=made["id"])
    assert stored.failures == 3
    assert stored.paused_until is not None
    WebhookEndpoint.objects.filter(pk=made["id"]).update(url=receiver.url("/200"))
    due_now()
    send()
    assert len(receiver.bodies("/200")) == 8
    stored.refresh_from_db()
    assert (stored.failures, stored.paused_until) == (0, None)


def test_an_answer_that_comes_while_others_are_written_counts_before_the_next_try(
    shop, receiver, endpoint, wallets, monkeypatch
):
    def slow(consumer):
        time.sleep(0.2)  # the receiver's answer arrives in it
        return consume(consumer)

    monkeypatch.setattr(sending, "consume", slow)
    endpoint("/500", types=["payment.settled"])
    for _ in range(8):
        shop.pay(*wallets, "1.00")
    send()
    assert len(receiver.got) == 3


def test_a_delivery_to_an_endpoint_that_was_spared_too_long_is_given_up(shop, receiver, endpoint, wallets):
    made = endpoint("/500", types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    log_all()
    execute("UPDATE webhook_deliveries SET give_up_at = now() WHERE endpoint_id = %s", made["id"])
    WebhookEndpoint.objects.filter(pk=made["id"]).update(paused_until="2100-01-01T00:00:00Z")
    send()
    assert [one["state"] for one in deliveries(shop, made)] == ["DEAD"]


def test_replayed_and_rebuilt_nothing_is_sent_twice(shop, receiver, endpoint, wallets):
    endpoint(types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    send()
    replay(WEBHOOKS, after=0)
    send()
    rebuild(WEBHOOKS)
    send()
    assert len(receiver.got) == 1


def test_a_sender_killed_after_sending_sends_again_the_same(shop, receiver, endpoint, wallets):
    made = endpoint(types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    log_all()
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"]).geturl()
    env = os.environ | {"FAIL_POINT": "webhook.sent", "DATABASE_URL": url, "WEBHOOKS_MAY_REACH_LOOPBACK": "true"}
    killed = subprocess.run([sys.executable, "-W", "ignore", "manage.py", "webhooks", "--once"], env=env, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [one["state"] for one in deliveries(shop, made)] == ["PENDING"]
    send()
    # Nobody else tries it while it may still be under way.
    assert len(receiver.got) == 1
    execute("UPDATE webhook_deliveries SET claimed_until = now() WHERE state = 'PENDING'")
    send()
    assert receiver.got[0][2] == receiver.got[1][2]
    assert receiver.got[0][1]["webhook-id"] == receiver.got[1][1]["webhook-id"]
    assert [one["state"] for one in deliveries(shop, made)] == ["DELIVERED"]


def test_two_senders_share_and_what_one_recorded_late_is_left_out(shop, receiver, endpoint, wallets):
    made = endpoint(types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    log_all()
    [task] = [one for one in take({}, proven=False) if str(one.endpoint.pk) == made["id"]]
    assert [one for one in take({}, proven=False) if str(one.endpoint.pk) == made["id"]] == []
    now = task.delivery.created_at
    done = sending.Tried(task, now, 1, status=200)
    record([done], now)
    record([sending.Tried(task, now, 1, status=500)], now)
    [delivery] = deliveries(shop, made)
    assert (delivery["state"], delivery["attempts"], len(tried(shop, delivery))) == ("DELIVERED", 1, 1)


def test_the_command_sends_what_is_due(shop, receiver, endpoint, wallets):
    endpoint(types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    log_all()
    call_command("webhooks", "--once")
    assert len(receiver.got) == 1


def test_an_attempt_is_never_rewritten(shop, endpoint):
    made = endpoint()
    shop.post(f"/webhook-endpoints/{made['id']}/test", {})
    send()
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation), connect("owner") as owner:
        owner.execute("UPDATE webhook_attempts SET status = 200")
