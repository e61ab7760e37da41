"""The shapes of events in answers."""

from rest_framework import serializers

from events.types import TYPES
from walletplatform.api.fields import FlagField, StrictSerializer, TextField


class EventAnswer(StrictSerializer):
    """CloudEvents 1.0 in JSON."""

    specversion = serializers.ChoiceField(["1.0"])
    id = serializers.UUIDField()
    source = TextField()
    type = serializers.ChoiceField(TYPES)
    time = serializers.DateTimeField()
    subject = serializers.UUIDField(help_text="The payment or wallet that it is about.")
    datacontenttype = TextField()
    dataschema = TextField(help_text="The shape of data: see docs/events/.")
    correlationid = TextField(help_text="The id of the request that made it.")
    traceparent = TextField(required=False)
    sequence = TextField(help_text="The position in the log.")
    data = serializers.DictField()


class EventPage(StrictSerializer):
    data = EventAnswer(many=True)
    has_more = FlagField()
    next_after = serializers.IntegerField(help_text="Send it as after, to go on.")
