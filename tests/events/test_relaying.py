"""What the relays have in common: the cursor moves for what was published, and only from where it was read."""

from __future__ import annotations

from django.core.management import call_command

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
