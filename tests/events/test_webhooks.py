"""Webhooks: each event to each endpoint that wants it, signed, tried for three days, and nobody kept waiting."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client as Http
from django.urls import reverse
from standardwebhooks import Webhook, WebhookVerificationError

from events import log
from events.consumers import CONSUMERS
from events.consuming import consume, rebuild, replay
from events.envelope import envelope
from events.lag import webhooks
from events.models import WebhookEndpoint
from events.sequencer import sequence
from events.webhooks import sending
from events.webhooks.attempts import SCHEDULE, record, take
from events.webhooks.sending import Sender
from tests.actors import actor
from tests.events.receivers import Receiver
from tests.ledger.test_database_rules import connect
from tests.money import rows, snapshot, value
from walletplatform.identity.models import Client, User

WEBHOOKS = CONSUMERS["webhooks"]


@pytest.fixture(autouse=True)
def on_loopback(settings):
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True


@pytest.fixture
def receiver():
    started = Receiver()
    yield started
    started.close()


@pytest.fixture
def endpoint(shop, receiver):
    """Make an endpoint of the shop's at a path of the receiver; returns its JSON with the secret."""
    made = []

    def make(path="/200", **more):
        log_all()
        answer = shop.post("/webhook-endpoints", {"url": receiver.url(path), **more})
        assert answer.status_code == 201, answer.content
        made.append(answer.json()["id"])
        return answer.json()

    yield make
    WebhookEndpoint.objects.filter(pk__in=made).update(enabled=False)


@pytest.fixture
def wallets(shop):
    return shop.wallet(holding="100.00"), shop.wallet()


def log_all():
    while sequence():
        pass
    while consume(WEBHOOKS):
        pass


def send():
    """Everything that is due by now, to everybody."""
    log_all()
    asyncio.run(asyncio.wait_for(Sender().run(until_idle=True), 60))


def execute(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def due_now():
    execute("UPDATE webhook_deliveries SET due_at = now() WHERE state = 'PENDING'")
    WebhookEndpoint.objects.update(paused_until=None)


def deliveries(shop, endpoint, **filters):
    query = "&".join(f"{name}={value}" for name, value in {"endpoint_id": endpoint["id"], **filters}.items())
    return shop.get(f"/webhook-deliveries?{query}").json()["data"]


def tried(shop, delivery):
    return shop.get(f"/webhook-deliveries/{delivery['id']}").json()["tried"]


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


def test_an_endpoint_gets_what_comes_after_it_of_the_types_and_assets_it_may_see(receiver, endpoint, wallets, shop):
    gems = actor("client", assets=frozenset({"GEM"}))
    before = shop.pay(*wallets, "1.00")
    log_all()
    answer = gems.post("/webhook-endpoints", {"url": receiver.url("/200?gems"), "types": ["wallet.created"]})
    gem = shop.wallet("GEM")
    shop.wallet("EUR")

    send()

    assert before.status_code == 201
    assert [json.loads(body)["subject"] for body in receiver.bodies("/200?gems")] == [gem]
    WebhookEndpoint.objects.filter(pk=answer.json()["id"]).update(enabled=False)


def test_a_client_that_was_narrowed_or_stopped_gets_no_more_than_it_may_see_now(receiver, endpoint, shop):
    client = Client.objects.create(name=uuid4().hex, secret_hash=b"", scopes=[], assets=["EUR"])
    its = actor("client", id=client.pk)
    made = its.post("/webhook-endpoints", {"url": receiver.url("/200?narrow"), "types": ["wallet.created"]}).json()
    seen = shop.wallet("EUR")
    shop.wallet("GEM")
    send()
    Client.objects.filter(pk=client.pk).update(active=False)
    shop.wallet("EUR")
    send()

    assert [json.loads(body)["subject"] for body in receiver.bodies("/200?narrow")] == [seen]
    WebhookEndpoint.objects.filter(pk=made["id"]).update(enabled=False)


def test_what_waits_for_a_client_that_was_narrowed_meanwhile_is_not_sent(receiver, endpoint, shop):
    client = Client.objects.create(name=uuid4().hex, secret_hash=b"", scopes=[], assets=["EUR", "GEM"])
    its = actor("client", id=client.pk)
    made = its.post("/webhook-endpoints", {"url": receiver.url("/200?meanwhile"), "types": ["wallet.created"]}).json()
    seen = shop.wallet("EUR")
    shop.wallet("GEM")
    log_all()
    Client.objects.filter(pk=client.pk).update(active=False)
    send()
    assert receiver.bodies("/200?meanwhile") == []
    Client.objects.filter(pk=client.pk).update(active=True, assets=["EUR"])
    send()
    assert [json.loads(body)["subject"] for body in receiver.bodies("/200?meanwhile")] == [seen]
    WebhookEndpoint.objects.filter(pk=made["id"]).update(enabled=False)


def test_a_secret_that_cannot_be_read_any_more_is_told_and_stops_nobody(receiver, endpoint, wallets, shop):
    unreadable, _ = (endpoint(path, types=["payment.settled"]) for path in ("/200?a", "/200?b"))
    WebhookEndpoint.objects.filter(pk=unreadable["id"]).update(secret="gAAAAA")
    shop.pay(*wallets, "1.00")
    send()
    assert (len(receiver.bodies("/200?a")), len(receiver.bodies("/200?b"))) == (0, 1)
    [delivery] = deliveries(shop, unreadable)
    assert "SECRET_KEY_FALLBACKS" in tried(shop, delivery)[0]["error"]


def test_the_secret_is_shown_once_and_kept_encrypted(shop, receiver):
    key = uuid4().hex
    body = {"url": receiver.url("/200"), "types": ["wallet.closed"]}
    first = shop.post("/webhook-endpoints", body, key=key)
    again = shop.post("/webhook-endpoints", body, key=key)

    made = first.json()
    assert (again.status_code, again.json()["code"]) == (409, "secret_already_shown")
    assert again.json()["endpoint_id"] == made["id"]
    assert made["secret"].startswith("whsec_")
    assert "secret" not in shop.get(f"/webhook-endpoints/{made['id']}").json()
    assert made["secret"] not in str(rows("SELECT secret, former_secret FROM webhook_endpoints"))
    assert made["secret"] not in str(
        rows("SELECT convert_from(body, 'UTF8') FROM idempotency_keys WHERE key = %s", key)
    )
    assert value("SELECT count(*) FROM webhook_endpoints WHERE client_id = %s", shop.id) == 1


def test_while_a_secret_is_exchanged_both_sign(shop, receiver, endpoint, wallets):
    made = endpoint(types=["payment.settled"])
    new = shop.post(f"/webhook-endpoints/{made['id']}/rotate-secret", {}).json()
    shop.pay(*wallets, "1.00")
    send()
    [(_, headers, body)] = receiver.got
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (made["secret"], new["secret"]):
        assert Webhook(secret).verify(body, headers)

    WebhookEndpoint.objects.filter(pk=made["id"]).update(former_until="2026-01-01T00:00:00Z")
    shop.pay(*wallets, "1.00")
    send()
    _, headers, body = receiver.got[-1]
    assert Webhook(new["secret"]).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(body, headers)


def test_a_secret_survives_the_exchange_of_the_platforms_key(shop, receiver, endpoint, settings, wallets):
    made = endpoint(types=["payment.settled"])
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key " * 4
    actor_token_is_made_anew = actor("client", id=shop.id)
    actor_token_is_made_anew.pay(*wallets, "1.00")
    send()
    [(_, headers, body)] = receiver.got
    assert Webhook(made["secret"]).verify(body, headers)


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


def test_an_endpoint_that_fails_is_spared_and_begins_anew_with_its_first_success(shop, receiver, endpoint, wallets):
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


def test_a_delivery_to_an_endpoint_that_was_spared_too_long_is_given_up(shop, receiver, endpoint, wallets):
    made = endpoint("/500", types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    log_all()
    execute("UPDATE webhook_deliveries SET give_up_at = now() WHERE endpoint_id = %s", made["id"])
    WebhookEndpoint.objects.filter(pk=made["id"]).update(paused_until="2100-01-01T00:00:00Z")
    send()
    assert [one["state"] for one in deliveries(shop, made)] == ["DEAD"]


def test_one_delivery_and_a_range_are_sent_again(shop, receiver, endpoint, wallets):
    made = endpoint(types=["payment.settled"])
    for _ in range(3):
        shop.pay(*wallets, "1.00")
    send()
    [third, second, first] = deliveries(shop, made)
    assert shop.post(f"/webhook-deliveries/{second['id']}/redeliver", {}).status_code == 202
    send()
    assert len(receiver.got) == 4
    assert json.loads(receiver.got[3][2])["sequence"] == second["sequence"]
    assert receiver.got[3][2] in [body for _, _, body in receiver.got[:3]]
    assert [one["attempts"] for one in deliveries(shop, made)] == [1, 2, 1]

    asked = {"first": int(first["sequence"]), "last": int(third["sequence"])}
    answer = shop.post(f"/webhook-endpoints/{made['id']}/redeliver", asked)
    assert (answer.status_code, answer.json()) == (202, {"deliveries": 3})
    send()
    assert len(receiver.got) == 7


def test_a_range_brings_what_was_before_the_endpoints_time(shop, receiver, endpoint, wallets):
    shop.pay(*wallets, "1.00")
    log_all()
    end = log.head()
    made = endpoint(types=["payment.settled"])
    shop.post(f"/webhook-endpoints/{made['id']}/redeliver", {"first": end, "last": end})
    send()
    assert [json.loads(body)["sequence"] for body in receiver.bodies("/200")] == [str(end)]


def test_a_ping_is_sent_signed(shop, receiver, endpoint):
    made = endpoint(types=["payment.settled"])
    key = uuid4().hex
    answers = [shop.post(f"/webhook-endpoints/{made['id']}/test", {}, key=key) for _ in range(2)]
    send()
    [(_, headers, body)] = receiver.got
    told = Webhook(made["secret"]).verify(body, headers)
    assert (told["type"], told["id"]) == ("webhook.ping", answers[0].json()["id"])
    assert answers[0].content == answers[1].content
    whole = shop.get(f"/webhook-deliveries/{told['id']}").json()
    assert (whole["event_type"], whole["sequence"], whole["state"]) == ("webhook.ping", None, "DELIVERED")


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


BAD = [
    {"url": "https://10.0.0.1/"}, {"url": "ftp://example.com"}, {"url": 3}, {}, {"url": "https://[::1"},
    {"url": "https://93.184.216.34/", "types": ["payment.stolen"]},
    {"url": "https://93.184.216.34/", "types": "payment.settled"},
    {"url": "https://93.184.216.34/", "secret": "whsec_mine"}, {"url": "https://93.184.216.34/", "client_id": "x"},
    {"url": "https://93.184.216.34/" + "a" * 2000}, {"url": "https://93.184.216.34/", "description": "a" * 201},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD)
def test_a_bad_endpoint_is_refused_and_nothing_changes(shop, body):
    before, endpoints = snapshot(), value("SELECT count(*) FROM webhook_endpoints")
    answer = shop.post("/webhook-endpoints", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert (snapshot(), value("SELECT count(*) FROM webhook_endpoints")) == (before, endpoints)


@pytest.mark.parametrize(
    "changes", [{"url": "http://192.168.0.1/"}, {"enabled": "yes"}, {"types": ["x"]}, {"failures": 0}, {"secret": "a"}]
)
def test_a_bad_change_is_refused(shop, endpoint, changes):
    made = endpoint()
    answer = shop.send("PATCH", f"/webhook-endpoints/{made['id']}", changes)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert shop.get(f"/webhook-endpoints/{made['id']}").json()["url"] == made["url"]


@pytest.mark.parametrize(("first", "last"), [(2, 1), (1, 10_001), (0, 1), ("1", "2")])
def test_a_bad_range_is_refused(shop, endpoint, first, last):
    made = endpoint()
    answer = shop.post(f"/webhook-endpoints/{made['id']}/redeliver", {"first": first, "last": last})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


def test_another_clients_endpoints_and_deliveries_are_not_found(shop, receiver, endpoint):
    made = endpoint()
    ping = shop.post(f"/webhook-endpoints/{made['id']}/test", {}).json()
    other = actor("client")
    asked = [
        other.get(f"/webhook-endpoints/{made['id']}"),
        other.send("PATCH", f"/webhook-endpoints/{made['id']}", {"enabled": False}),
        other.send("DELETE", f"/webhook-endpoints/{made['id']}", {}),
        other.post(f"/webhook-endpoints/{made['id']}/rotate-secret", {}),
        other.post(f"/webhook-endpoints/{made['id']}/test", {}),
        other.post(f"/webhook-endpoints/{made['id']}/redeliver", {"first": 1, "last": 2}),
        other.get(f"/webhook-deliveries/{ping['id']}"),
        other.post(f"/webhook-deliveries/{ping['id']}/redeliver", {}),
    ]
    assert {answer.status_code for answer in asked} == {404}
    assert other.get(f"/webhook-deliveries?endpoint_id={made['id']}").json()["data"] == []
    assert shop.get(f"/webhook-endpoints/{made['id']}").json()["enabled"] is True


def test_a_removed_endpoint_gets_nothing_and_is_gone(shop, receiver, endpoint, wallets):
    made = endpoint(types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    log_all()
    assert shop.send("DELETE", f"/webhook-endpoints/{made['id']}", {}).status_code == 204
    send()
    assert receiver.got == []
    assert shop.get(f"/webhook-endpoints/{made['id']}").status_code == 404


def test_lists_are_pages_of_the_callers_own(shop, receiver, endpoint):
    made = [endpoint()["id"] for _ in range(3)]
    first = shop.get("/webhook-endpoints?limit=2").json()
    rest = shop.get(f"/webhook-endpoints?limit=2&cursor={first['next_cursor']}").json()
    assert [one["id"] for one in first["data"] + rest["data"]] == made[::-1]
    pings = [shop.post(f"/webhook-endpoints/{one}/test", {}).json()["id"] for one in made]
    first = shop.get("/webhook-deliveries?limit=2").json()
    rest = shop.get(f"/webhook-deliveries?limit=2&cursor={first['next_cursor']}").json()
    assert [one["id"] for one in first["data"] + rest["data"]] == pings[::-1]


def test_a_client_has_fifty_endpoints_at_most(shop, receiver):
    answers = [
        shop.post("/webhook-endpoints", {"url": receiver.url("/200"), "types": ["wallet.closed"]}) for _ in range(51)
    ]
    assert [answer.status_code for answer in answers] == [201] * 50 + [400]
    WebhookEndpoint.objects.filter(client_id=shop.id).update(enabled=False)


def test_an_attempt_is_never_rewritten(shop, endpoint):
    made = endpoint()
    shop.post(f"/webhook-endpoints/{made['id']}/test", {})
    send()
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation), connect("owner") as owner:
        owner.execute("UPDATE webhook_attempts SET status = 200")


def test_it_is_seen_how_deliveries_stand(shop, receiver, endpoint, wallets):
    before = webhooks()
    failing, dead = endpoint("/500", types=["payment.settled"]), endpoint("/500", types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    send()
    execute("UPDATE webhook_deliveries SET give_up_at = now() WHERE endpoint_id = %s", dead["id"])
    send()

    now = webhooks()
    assert (now.pending - before.pending, now.given_up - before.given_up) == (1, 1)
    assert now.failing - before.failing == 2
    http = Http(raise_request_exception=False)
    http.force_login(User.objects.create_superuser(f"root-{uuid4().hex}", password="long enough 1"))
    page = http.get(reverse("admin:events_webhookendpoint_changelist"), {"q": failing["id"]}).content.decode()
    assert "failing" in page
    [delivery] = deliveries(shop, dead)
    page = http.get(reverse("admin:events_webhookdelivery_change", args=[delivery["id"]])).content.decode()
    assert "<td>500</td><td>thank you</td>" in page
    assert dead["secret"] not in page
