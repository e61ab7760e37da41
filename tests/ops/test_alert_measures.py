"""What each type of alert measures, read from what the platform itself has written."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory

from events import consuming
from events.consumers import CONSUMERS
from events.models import Cursor, WebhookDelivery, WebhookEndpoint
from events.sequencer import sequence
from events.webhooks.signing import seal
from ledger import clock
from ledger.ids import id_maker
from ops.alerts import trouble
from ops.alerts.measures.figures import factor
from ops.alerts.read_models import LatestPayment, RepeatedPayment, RequestTrouble
from ops.alerts.trouble import TROUBLES, TroubleMiddleware
from ops.alerts.types import TYPES
from ops.jobs.models import Job
from ops.jobs.queueing import enqueue
from ops.reconciliation.models import Finding, ReconciliationRun
from tests.conftest import drop_database, make_database, use_database
from tests.ops.alert_rules import figures, rule
from walletplatform.api.problems import CATALOGUE, CONTENT_TYPE, problem_bytes


@pytest.fixture(scope="module", autouse=True)
def own_database(database):
    """A database in which only this module has done anything."""
    name = f"measures_{os.getpid()}"
    TROUBLES.write()  # what earlier tests' requests came to
    make_database(name)
    use_database(name)
    try:
        yield
    finally:
        use_database(database)
        drop_database(name)


def read(type, *, later=timedelta(0), **given):
    """What a rule of a type finds, by subject."""
    found = TYPES[type].read(rule(type, **given), clock.now() + later)
    return {reading.subject: reading for reading in found}


def read_log(name):
    while sequence():
        pass
    while consuming.consume(CONSUMERS[name]):
        pass


def test_limits_are_measured_by_what_they_decline(rare_asset):
    figures(rare_asset, settled=60, failed=30)
    figures(rare_asset, failed=10, code="limit_exceeded")
    found = read("limit_pressure", asset=rare_asset)[""]
    assert (found.value, found.volume, found.title) == (10, 100, "Limits decline 10 % of payments")


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (100, [100] * 7, Decimal(1)),
        (300, [100] * 7, Decimal(3)),
        (25, [100] * 7, Decimal(4)),
        (0, [100] * 7, Decimal(100)),
        (300, [100] * 6 + [5000], Decimal(3)),
        (130, [80, 90, 100, 110, 120, 100, 100], Decimal(1)),
        (300, [0, 0, 0, 0, 0, 100, 100], None),
        (300, [0, 0, 0, 0, 100, 100, 100], Decimal(300)),
    ],
)
def test_volume_is_unusual_against_the_days_before_and_one_odd_day_is_not_usual(now, before, expected):
    compared = factor(now, before)
    assert (compared and compared[1]) == expected


def test_unusual_volume_is_read_off_the_figures(rare_asset):
    assert read("unusual_volume", asset=rare_asset) == {}
    for day in range(1, 8):
        figures(rare_asset, settled=50, back=day * 24 * 60)
    figures(rare_asset, settled=200)
    found = read("unusual_volume", asset=rare_asset)[""]
    assert (found.value, found.volume, found.title) == (4, 200, "4 times more payments than usual")


def problem(code):
    return HttpResponse(problem_bytes(code, "", "x"), status=CATALOGUE[code].status, content_type=CONTENT_TYPE)


def test_requests_that_fail_on_our_side_are_counted_and_nothing_else_is():
    for answer in (
        HttpResponse(status=500), problem("unavailable"), problem("unavailable"), HttpResponse(status=404),
        problem("limit_exceeded"),
    ):  # fmt: skip
        TroubleMiddleware(lambda request, answer=answer: answer)(RequestFactory().get("/"))
    TROUBLES.write()
    assert dict(RequestTrouble.objects.values_list("code", "requests")) == {"http_500": 1, "unavailable": 2}
    found = read("system_errors")[""]
    assert (found.value, found.detail.endswith("unavailable 2, http 500 1.")) == (3, True)
    RequestTrouble.objects.all().delete()


def test_counts_wait_while_the_database_does_not_take_them(monkeypatch):
    monkeypatch.setattr(trouble, "_WRITE", "SELECT 1 / (0 * cardinality(%s::text[]) * cardinality(%s::text[])"
                        " * cardinality(%s::text[]))")  # fmt: skip
    TROUBLES.count("internal_error")
    TROUBLES.write()
    monkeypatch.undo()
    TROUBLES.count("internal_error")
    TROUBLES.write()
    assert sum(RequestTrouble.objects.filter(code="internal_error").values_list("requests", flat=True)) == 2
    RequestTrouble.objects.all().delete()


def test_payments_like_one_shortly_before_are_repeats(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="100.00"), shop.wallet(rare_asset)
    first, again = (shop.pay(ann, bob, "10.00").json()["id"] for _ in range(2))
    shop.pay(ann, bob, "10.01")
    shop.pay(bob, ann, "10.00")
    shop.pay(ann, bob, "1000.00")
    shop.pay(ann, bob, "1000.00")
    shop.post(f"/payments/{first}/refund", {"amount": "1.00"})
    shop.post(f"/payments/{first}/refund", {"amount": "1.00"})
    read_log("repeats")
    [repeat] = RepeatedPayment.objects.filter(asset=rare_asset)
    assert [str(repeat.payment_id), str(repeat.earlier_id)] == [again, first]
    found = read("repeated_duplicates", asset=rare_asset)
    assert (found["payments"].value, found["payments"].about) == (1, ("payment", again))
    assert read("repeated_duplicates", asset=rare_asset, later=timedelta(minutes=20))["payments"].value == 0


def test_a_payment_long_after_another_is_no_repeat(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="100.00"), shop.wallet(rare_asset)
    shop.pay(ann, bob, "10.00")
    read_log("repeats")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE latest_payments SET at = at - interval '10 minutes 1 second'")
    shop.pay(ann, bob, "10.00")
    read_log("repeats")
    assert not RepeatedPayment.objects.filter(asset=rare_asset).exists()


def test_repeats_are_the_same_however_often_the_log_is_read(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="100.00"), shop.wallet(rare_asset)
    for _ in range(3):
        shop.pay(ann, bob, "5.00")
    read_log("repeats")
    before = set(RepeatedPayment.objects.values_list("payment_id", "earlier_id"))
    assert RepeatedPayment.objects.filter(asset=rare_asset).count() == 2
    consuming.replay(CONSUMERS["repeats"], after=0)
    read_log("repeats")
    assert set(RepeatedPayment.objects.values_list("payment_id", "earlier_id")) == before
    CONSUMERS["repeats"].reset()
    assert not LatestPayment.objects.exists()


def test_keys_of_other_requests_are_counted(shop, rare_asset):
    ann, bob, key = shop.wallet(rare_asset, holding="100.00"), shop.wallet(rare_asset), uuid4().hex
    shop.pay(ann, bob, "1.00", key=key)
    assert shop.pay(ann, bob, "2.00", key=key).json()["code"] == "idempotency_key_reused"
    TROUBLES.write()
    found = read("repeated_duplicates")["keys"]
    assert (found.value, found.title) == (1, "1 request with the key of another")
    assert read("system_errors")[""].value == 0


def test_findings_are_counted_while_they_are_open():
    now = clock.now()
    new_id = id_maker(at=now)
    run = ReconciliationRun.objects.create(
        id=new_id(), kind="incremental", state="CLEAN", from_position=0, to_position=0, started_at=now,
        finished_at=now,
    )  # fmt: skip
    findings = [
        Finding.objects.create(
            id=new_id(), kind="account_balance", subject_type="account", subject_id=str(uuid4()),
            evidence={"expected": {}, "actual": {}}, run=run, last_run=run, first_seen=now, last_seen=now,
        )
        for _ in range(2)
    ]  # fmt: skip
    assert read("ledger_inconsistency")[""].value == 2
    Finding.objects.filter(pk=findings[1].pk).update(state="EXPLAINED")
    found = read("ledger_inconsistency")[""]
    assert (found.value, found.about) == (1, ("finding", str(findings[0].pk)))
    assert found.detail == f"The latest: account balance, account {findings[0].subject_id}."


def test_reconciliation_is_late_when_none_came_to_a_result():
    now = clock.now()
    old = ReconciliationRun.objects.create(
        id=id_maker(at=now)(), kind="full", state="CLEAN", from_position=0, to_position=0, started_at=now,
        finished_at=now - timedelta(days=3),
    )  # fmt: skip
    assert read("reconciliation_late")["full"].value == 3
    failed = ReconciliationRun.objects.create(
        id=id_maker(at=now + timedelta(seconds=1))(), kind="full", state="FAILED", error="Out of disk", started_at=now,
        finished_at=now,
    )  # fmt: skip
    found = read("reconciliation_late")["full"]
    assert (found.value, found.about) == (3, ("reconciliation", str(failed.pk)))
    assert found.detail.endswith("The latest failed: Out of disk")
    assert old.pk < failed.pk


def test_a_treasury_is_low_below_its_threshold(shop, rare_asset):
    shop.wallet(rare_asset, holding="100.00")
    found = read("low_treasury", asset=rare_asset)[rare_asset]
    assert (found.value, found.asset) == (Decimal("-100.00"), rare_asset)
    known, mine = TYPES["low_treasury"], rule("low_treasury", asset=rare_asset, threshold=Decimal(-50))
    assert known.breached(mine, found.value, 0)
    mine.threshold = Decimal(-100)
    assert not known.breached(mine, found.value, 0)
    assert known.told(found.value, rare_asset) == f"-100 {rare_asset}"


def test_what_waits_in_the_outbox_and_for_readers_is_measured_by_its_age(shop, rare_asset):
    read_log("repeats")
    assert {name: one.value for name, one in read("outbox_lag").items()} == {"outbox": 0, "reader repeats": 0}
    shop.wallet(rare_asset, holding="1.00")
    assert read("outbox_lag", later=timedelta(seconds=90))["outbox"].value >= 90
    sequence()
    found = read("outbox_lag", later=timedelta(seconds=90))
    assert (found["outbox"].value, found["reader repeats"].value >= 90) == (0, True)
    assert Cursor.objects.get(name="repeats").name in found["reader repeats"].title


def test_webhooks_are_late_when_nobody_tries_and_dead_when_they_are_given_up():
    now = clock.now()
    new_id = id_maker(at=now)
    endpoint = WebhookEndpoint.objects.create(
        id=new_id(), client_id=uuid4(), url="https://example.com/hooks", types=[], secret=seal("x"), after=0,
        created_at=now,
    )  # fmt: skip
    usual = {"endpoint": endpoint, "created_at": now, "give_up_at": now + timedelta(days=3)}
    WebhookDelivery.objects.create(id=new_id(), due_at=now - timedelta(minutes=5), position=1, **usual)
    WebhookDelivery.objects.create(
        id=new_id(), due_at=now - timedelta(hours=5), claimed_until=now + timedelta(minutes=1), position=2, **usual
    )
    found = read("webhook_lag")[""]
    assert (300 <= found.value < 310, found.about) == (True, ("webhook_endpoint", str(endpoint.pk)))
    for position, ago in enumerate((1, 58, 61), start=3):
        WebhookDelivery.objects.create(
            id=new_id(), state="DEAD", due_at=now, finished_at=now - timedelta(minutes=ago), position=position, **usual
        )
    assert read("webhook_dead", window_minutes=60)[""].value == 2


def test_holds_are_counted_and_overdue_when_their_time_is_over(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="100.00"), shop.wallet(rare_asset)
    held = [shop.pay(ann, bob, "1.00", capture=False, expires_in=3600).json()["id"] for _ in range(3)]
    shop.post(f"/payments/{held[0]}/void", {})
    read_log("holds")
    assert read("hold_backlog", asset=rare_asset)[""].value == 2
    assert read("hold_overdue", asset=rare_asset)[""].value == 0
    found = read("hold_overdue", asset=rare_asset, later=timedelta(minutes=70))[""]
    assert (590 <= found.value <= 605, found.about) == (True, ("payment", held[1]))


def test_jobs_are_late_when_they_wait_and_failed_when_they_are_dead():
    now = clock.now()
    job = enqueue("alerts.send", {"notification_id": str(uuid4())}, due_at=now - timedelta(minutes=3))
    found = read("job_lag")
    assert (180 <= found["mail"].value < 190, found["mail"].about) == (True, ("job", str(job.pk)))
    assert found["jobs"].value == found["ai"].value == 0
    Job.objects.filter(pk=job.pk).update(state="RUNNING", tries=1, started_at=now)
    assert read("job_lag")["mail"].value == 0
    Job.objects.filter(pk=job.pk).update(state="DEAD", error="No such host", finished_at=now)
    found = read("job_failures")[""]
    assert (found.value, found.title) == (1, "1 job given up")
    assert found.detail.endswith("The latest: Send a message about alerts: No such host")
    Job.objects.filter(pk=job.pk).update(state="DISCARDED")
    assert read("job_failures")[""].value == 0
