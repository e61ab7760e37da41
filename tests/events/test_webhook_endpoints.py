"""Endpoints of webhooks: whose they are, what goes to them, their secrets, and sending again."""

import json
from uuid import uuid4

import pytest
from django.urls import reverse
from standardwebhooks import Webhook, WebhookVerificationError

from events import log
from events.lag import webhooks
from events.models import WebhookEndpoint
from tests.actors import actor
from tests.events.hooks import deliveries, execute, log_all, send, tried
from tests.money import rows, snapshot, value
from tests.ops.staff import console, root
from walletplatform.identity.models import Client


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
    log_all()
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
    log_all()
    execute("UPDATE webhook_endpoints SET enabled = false")  # those of other tests
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


def test_it_is_seen_how_deliveries_stand(shop, receiver, endpoint, wallets):
    execute("UPDATE webhook_endpoints SET enabled = false")  # those of other tests
    before = webhooks()
    failing, dead = endpoint("/500", types=["payment.settled"]), endpoint("/500", types=["payment.settled"])
    shop.pay(*wallets, "1.00")
    send()
    execute("UPDATE webhook_deliveries SET give_up_at = now() WHERE endpoint_id = %s", dead["id"])
    send()

    now = webhooks()
    assert (now.pending - before.pending, now.given_up - before.given_up) == (1, 1)
    assert now.failing - before.failing == 2
    http = console(root())
    page = http.get(reverse("admin:events_webhookendpoint_changelist"), {"q": failing["id"]}).content.decode()
    assert "failing" in page
    [delivery] = deliveries(shop, dead)
    page = http.get(reverse("admin:events_webhookdelivery_change", args=[delivery["id"]])).content.decode()
    assert "<td>500</td><td>thank you</td>" in page
    assert dead["secret"] not in page
