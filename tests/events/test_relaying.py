"""What the relays have in common: the cursor moves for what was published, and only from where it was read."""

from __future__ import annotations

from threading import Thread

from django.core.management import call_command
from django.db import connection

from events.models import Cursor
from events.relaying import relay
from events.sequencer import sequence


class Broker:
    """Takes everything; ``meanwhile`` happens before it has."""

    name = "kafka"

    def __init__(self, meanwhile):
        self.meanwhile = meanwhile

    def publish(self, events):
        self.meanwhile()


def test_a_rewind_while_events_are_being_published_is_not_lost(shop):
    shop.wallet()
    while sequence():
        pass
    Cursor.objects.update_or_create(name=Broker.name, defaults={"position": 1})

    assert relay(Broker(lambda: call_command("relay", "kafka", rewind=True))) > 0

    assert Cursor.objects.get(name=Broker.name).position == 0


def test_whoever_relayed_before_keeps_nobody_from_it(shop):
    """A connection goes back to its pool after an error, or with its thread: another is at it then."""
    shop.wallet()
    while sequence():
        pass
    Cursor.objects.update_or_create(name=Broker.name, defaults={"position": 1})
    held = []

    def once():
        held.append(relay(Broker(lambda: None)))
        connection.close()

    with connection.cursor() as cursor:  # so that the other has a session of its own
        cursor.execute("SELECT 1")
        other = Thread(target=once)
        other.start()
        other.join()
    Cursor.objects.filter(name=Broker.name).update(position=1)

    assert held[0] > 0
    assert relay(Broker(lambda: None)) > 0
