"""The RabbitMQ relay against a real broker: nothing lost, in the log's order, duplicates the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from threading import Timer
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from events import log
from events.envelope import envelope
from events.models import Cursor
from events.rabbitmq import RabbitRelay
from events.relaying import relay as pass_on
from events.sequencer import sequence
from events.working import Halted
from tests.events.rabbit import Queue, rabbit_or_skip


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory):
    started = rabbit_or_skip(tmp_path_factory.mktemp("rabbitmq"))
    yield started
    started.close()


@pytest.fixture
def relay(rabbit):
    """A relay that begins where the log is now."""
    while sequence():
        pass
    Cursor.objects.update_or_create(name=RabbitRelay.name, defaults={"position": log.head()})
    made = RabbitRelay(rabbit.url)
    yield made
    made.close()


@pytest.fixture
def start(relay):
    return log.head()


def publish_all(relay):
    while sequence():
        pass
    while pass_on(relay):
        pass


def logged(start):
    return [envelope(event) for event in log.read(after=start, limit=10**6)]


def pay(shop, times):
    ann, bob = shop.wallet(holding="1000.00"), shop.wallet()
    for _ in range(times):
        shop.pay(ann, bob, "1.00")


def first_of_each(bodies):
    return list(dict.fromkeys(bodies))


def test_every_event_comes_once_in_the_order_of_the_log(shop, rabbit, relay, start):
    everything, settled = Queue(rabbit, "#"), Queue(rabbit, "payment.settled.EUR")
    pay(shop, 20)
    shop.wallet("GEM", holding="5")

    publish_all(relay)

    messages = everything.take_all()
    assert [message.body for message in messages] == logged(start)
    events = log.read(after=start, limit=10**6)
    assert [message.properties["message_id"] for message in messages] == [str(event.event_id) for event in events]
    first, event = messages[0].properties, events[0]
    assert (first["type"], first["correlation_id"]) == (event.type, event.correlation_id)
    assert (first["delivery_mode"], first["content_type"]) == (2, "application/cloudevents+json")
    assert first["application_headers"]["position"] == event.position
    wanted = [envelope(event) for event in events if (event.type, event.asset) == ("payment.settled", "EUR")]
    assert [message.body for message in settled.take_all()] == wanted


def test_a_broker_that_is_killed_and_comes_back_delays_and_loses_nothing(shop, rabbit, relay, start):
    queue = Queue(rabbit, "#")
    pay(shop, 5)
    publish_all(relay)
    rabbit.kill()
    pay(shop, 5)
    while sequence():
        pass
    behind = Cursor.objects.get(name=relay.name).position
    for _ in range(2):
        with pytest.raises(Halted):
            pass_on(relay)
    assert Cursor.objects.get(name=relay.name).position == behind
    rabbit.start()
    publish_all(relay)
    assert first_of_each(message.body for message in queue.take_all()) == logged(start)


def test_a_broker_that_is_frozen_delays_and_loses_nothing(shop, rabbit, relay, start, monkeypatch):
    monkeypatch.setattr("events.rabbitmq.CONFIRM_SECONDS", 1)
    monkeypatch.setattr("events.rabbitmq.CONNECT_SECONDS", 1)
    queue = Queue(rabbit, "#")
    pay(shop, 5)
    publish_all(relay)
    pay(shop, 5)
    while sequence():
        pass
    rabbit.tell(signal.SIGSTOP)
    thaw = Timer(3, rabbit.tell, [signal.SIGCONT])
    thaw.start()
    halted = 0
    while Cursor.objects.get(name=relay.name).position < log.head():
        try:
            pass_on(relay)
        except Halted:
            halted += 1
    thaw.join()
    assert halted
    assert first_of_each(message.body for message in queue.take_all()) == logged(start)


def test_a_relay_killed_between_publishing_and_its_cursor_repeats_the_same_bytes(shop, rabbit, relay, start):
    queue = Queue(rabbit, "#")
    pay(shop, 5)
    while sequence():
        pass
    # Its lock ends with its session, and this one's must not keep the other out.
    connection.close()
    connection.close_pool()
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"]).geturl()
    env = os.environ | {"FAIL_POINT": "relay.published", "DATABASE_URL": url, "RABBITMQ_URL": rabbit.url}
    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "relay", "rabbitmq", "--once"], env=env, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert Cursor.objects.get(name=relay.name).position == start
    publish_all(relay)
    bodies = [message.body for message in queue.take_all()]
    assert bodies == logged(start) * 2


def test_the_command_says_what_is_missing_and_fills_an_emptied_broker_again(shop, rabbit, relay, start, settings):
    settings.RABBITMQ_URL = ""
    with pytest.raises(CommandError, match="RABBITMQ_URL"):
        call_command("relay", "rabbitmq", "--once")
    settings.RABBITMQ_URL = rabbit.url
    pay(shop, 1)
    publish_all(relay)
    queue = Queue(rabbit, "#")
    call_command("relay", "rabbitmq", "--rewind")
    call_command("relay", "rabbitmq", "--once")
    assert [message.body for message in queue.take_all()] == logged(0)


def test_a_wrong_password_halts_with_the_brokers_words(shop, rabbit, relay):
    pay(shop, 1)
    while sequence():
        pass
    with pytest.raises(Halted, match="ACCESS_REFUSED"):
        pass_on(RabbitRelay(rabbit.url.replace("guest:guest", "guest:wrong")))
