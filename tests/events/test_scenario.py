"""One story in which everything happens that there is an event for: seen on Kafka, at RabbitMQ and at a webhook."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from standardwebhooks import Webhook

from events import log
from events.consumers import CONSUMERS
from events.consuming import consume
from events.envelope import envelope
from events.kafka import KafkaRelay, make_topics
from events.models import Cursor, WebhookEndpoint
from events.rabbitmq import RabbitRelay
from events.relaying import relay
from events.sequencer import sequence
from events.types import TYPES
from events.webhooks.sending import Sender
from payments.expiry import expire_holds
from tests.events.hooks import log_all
from tests.events.rabbit import Queue, rabbit_or_skip
from tests.events.receivers import Receiver
from tests.model.topics import by_key, read_topic
from tests.payments.holds import act, wait_until_due
from walletplatform.embedded.data_dir import DataDir
from walletplatform.embedded.kafka import Kafka


@pytest.fixture
def kafka(tmp_path):
    started = Kafka(DataDir(tmp_path))
    started.start()
    make_topics(started.servers(running=True))
    yield started
    started.stop()


@pytest.fixture
def rabbit(tmp_path):
    (tmp_path / "rabbitmq").mkdir()
    started = rabbit_or_skip(tmp_path / "rabbitmq")
    yield started
    started.close()


@pytest.fixture
def hook(shop, settings):
    """A webhook for everything; returns its secret with the receiver."""
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True
    receiver = Receiver()
    log_all()  # what others left to be told is not this webhook's
    made = shop.post("/webhook-endpoints", {"url": receiver.url("/200")}).json()
    yield made["secret"], receiver
    WebhookEndpoint.objects.filter(pk=made["id"]).update(enabled=False)
    receiver.close()


def everything_happens(shop):
    """A shop's day: a review, a hold that is captured in part, one voided, one forgotten, a refund, a wallet closed."""
    review = {"metadata": {"policy": "review"}}
    ann, bob = shop.wallet(holding="100.00"), shop.wallet()
    waits = shop.pay(ann, bob, "20.00", **review).json()["id"]
    act(shop, waits, "review", {"approve": True})
    held, voided, forgotten = (
        shop.pay(ann, bob, "5.00", capture=False, expires_in=seconds).json()["id"] for seconds in (3600, 3600, 1)
    )
    act(shop, held, "capture", {"amount": "3.00"})
    act(shop, voided, "void")
    wait_until_due(forgotten)
    list(expire_holds())
    paid = shop.pay(ann, bob, "7.00").json()["id"]
    act(shop, paid, "refund", {"amount": "2.00"})
    shop.pay(ann, bob, "9999.00")
    closing = shop.wallet()
    shop.set_status(closing, "SUSPENDED")
    shop.set_status(closing, "CLOSED")


def test_everything_that_happens_is_seen_on_every_channel(shop, kafka, rabbit, hook, settings):
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"
    while sequence():
        pass
    start = log.head()
    queue = Queue(rabbit, "#")
    relays = [KafkaRelay(kafka.servers(running=True)), RabbitRelay(rabbit.url)]
    for one in relays:
        Cursor.objects.update_or_create(name=one.name, defaults={"position": start})

    everything_happens(shop)
    while sequence():
        pass
    for one in relays:
        while relay(one):
            pass
    while consume(CONSUMERS["webhooks"]):
        pass
    asyncio.run(asyncio.wait_for(Sender().run(until_idle=True), 60))

    told = [envelope(event) for event in log.read(after=start, limit=1000)]
    assert {orjson.loads(one)["type"] for one in told} == set(TYPES)
    topics = [by_key(read_topic(kafka.servers(running=True), topic)) for topic in ("payments", "wallets")]
    assert sorted(one for topic in topics for messages in topic.values() for one in messages) == sorted(told)
    assert [message.body for message in queue.take_all()] == told
    secret, receiver = hook
    assert sorted(body for _, _, body in receiver.got) == sorted(told)
    for _, headers, body in receiver.got:
        assert Webhook(secret).verify(body, headers)
