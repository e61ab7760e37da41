"""The shapes of webhook endpoints and deliveries in requests and answers."""

from typing import Any

from rest_framework import serializers

from events.models import WebhookDelivery
from events.types import TYPES
from walletplatform.api.fields import FlagField, StrictSerializer, TextField, WholeNumberField
from walletplatform.api.pagination import PageAnswer


class _Types(serializers.ListField):
    child = serializers.ChoiceField(TYPES)

    def to_internal_value(self, data: Any) -> list[str]:
        return sorted(set(super().to_internal_value(data)))


class NewEndpointRequest(StrictSerializer):
    url = TextField(max_length=2000)
    types = _Types(default=list, max_length=len(TYPES), help_text="Empty: all.")
    description = TextField(default="", max_length=200, allow_blank=True)


class ChangedEndpointRequest(StrictSerializer):
    url = TextField(required=False, max_length=2000)
    types = _Types(required=False, max_length=len(TYPES))
    description = TextField(required=False, max_length=200, allow_blank=True)
    enabled = FlagField(required=False)


class NothingRequest(StrictSerializer):
    """An empty object."""


class RangeRequest(StrictSerializer):
    first = WholeNumberField(min_value=1, max_value=10**18, help_text="A position in the log.")
    last = WholeNumberField(min_value=1, max_value=10**18)


class EndpointAnswer(StrictSerializer):
    id = serializers.UUIDField()
    url = TextField()
    description = TextField()
    types = _Types(help_text="Empty: all.")
    enabled = FlagField()
    disabled_reason = TextField(allow_null=True)
    failures = serializers.IntegerField(help_text="Attempts that failed since one last succeeded.")
    paused_until = serializers.DateTimeField(allow_null=True, help_text="After several failures it is spared.")
    former_secret_until = serializers.DateTimeField(allow_null=True, help_text="Until then both secrets sign.")
    created_at = serializers.DateTimeField()


class EndpointWithSecretAnswer(EndpointAnswer):
    secret = TextField(help_text="whsec_ and base64; shown this once.")


class EndpointPage(PageAnswer):
    data = EndpointAnswer(many=True)


class DeliveryAnswer(StrictSerializer):
    id = serializers.UUIDField()
    endpoint_id = serializers.UUIDField()
    sequence = TextField(allow_null=True, help_text="The event's position in the log; null for a test.")
    state = serializers.ChoiceField(WebhookDelivery.State.values)
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class DeliveryPage(PageAnswer):
    data = DeliveryAnswer(many=True)


class AttemptAnswer(StrictSerializer):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    milliseconds = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True)
    error = TextField(allow_null=True)
    answer = TextField(allow_null=True, help_text="The first bytes.")


class WholeDeliveryAnswer(DeliveryAnswer):
    event_id = serializers.UUIDField(help_text="webhook-id.")
    event_type = TextField()
    tried = AttemptAnswer(many=True)


class DeliveriesAnswer(StrictSerializer):
    deliveries = serializers.IntegerField()
