"""Metrics count what happened, under labels that no caller can make up."""

from django.test import Client as Http
from prometheus_client.parser import text_string_to_metric_families

from events import log
from events.models import Cursor
from events.sequencer import sequence


def samples(name):
    """The samples of a metric as {labels: value}."""
    text = Http().get("/metrics").content.decode()
    return {
        frozenset(sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def grown(name, work):
    """What ``work`` added to a metric, without what stayed as it was."""
    before = samples(name)
    work()
    after = samples(name)
    return {labels: value - before.get(labels, 0) for labels, value in after.items() if value != before.get(labels, 0)}


def labels(**given):
    return frozenset(given.items())


def test_payments_are_counted_by_kind_and_outcome(shop):
    ann, bob = shop.wallet(holding="5.00"), shop.wallet()

    def work():
        shop.pay(ann, bob, "1.00")
        shop.pay(ann, bob, "900.00")

    assert grown("wallet_payments_total", work) == {
        labels(kind="transfer", outcome="settled"): 1,
        labels(kind="transfer", outcome="insufficient_funds"): 1,
    }


def test_requests_are_timed_by_route_and_class_of_status(shop):
    wallet = shop.wallet()

    def work():
        shop.get(f"/wallets/{wallet}")
        shop.get("/wallets/nobody")

    assert grown("wallet_request_seconds_count", work) == {
        labels(route="api/v1/wallets/<uuid:wallet_id>", method="GET", status="2xx"): 1,
        labels(route="unknown", method="GET", status="4xx"): 1,
    }


def test_a_method_that_a_caller_makes_up_makes_no_label():
    def work():
        for number in range(5):
            Http().generic(f"FANCY{number}", "/api/v1/assets")

    assert grown("wallet_request_seconds_count", work) == {
        labels(route="api/v1/assets", method="other", status="4xx"): 5
    }


def test_the_money_path_tells_its_batches_phases_and_pool(shop):
    ann, bob = shop.wallet(holding="5.00"), shop.wallet()

    def pay():
        shop.pay(ann, bob, "1.00")

    assert grown("wallet_batch_size_count", pay) == {labels(): 1}
    assert grown("wallet_money_seconds_count", pay).keys() == {
        labels(phase="lock"), labels(phase="decide"), labels(phase="write"),
    }  # fmt: skip
    assert samples("wallet_pool_connections").keys() == {
        labels(state="idle"), labels(state="busy"), labels(state="waiting"),
    }  # fmt: skip


def test_the_lag_of_the_log_and_of_its_readers_is_told(shop):
    while sequence():
        pass
    Cursor.objects.create(name="a-reader", position=log.head())
    end = log.head()
    shop.wallet(holding="1.00")
    assert samples("wallet_outbox_waiting") == {frozenset(): 3}
    assert samples("wallet_outbox_seconds")[frozenset()] > 0

    sequence()

    assert samples("wallet_outbox_waiting") == {frozenset(): 0}
    assert samples("wallet_log_position") == {frozenset(): end + 3}
    assert samples("wallet_log_behind")[labels(reader="a-reader")] == 3
    assert samples("wallet_log_parked")[labels(reader="a-reader")] == 0


def test_the_state_of_webhooks_is_told():
    for name in ("pending", "dead", "failing"):
        assert samples(f"wallet_webhooks_{name}").keys() == {frozenset()}
