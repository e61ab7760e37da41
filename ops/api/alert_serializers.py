"""The shapes of alerts and their rules in requests and answers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ops.alerts.configuring import LONGEST_MINUTES, MOST_ADDRESSES
from ops.alerts.models import Alert, Severity
from ops.alerts.types import TYPES
from walletplatform.api.fields import FlagField, StrictSerializer, TextField, WholeNumberField
from walletplatform.api.pagination import PageAnswer

_THRESHOLD = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,8})?", re.ASCII)


@extend_schema_field({"type": "string", "pattern": f"^{_THRESHOLD.pattern}$", "example": "20"})
class ThresholdField(serializers.Field[Decimal, str, str, Any]):
    """A decimal text, which may be negative, in the unit of the rule's type."""

    default_error_messages = {"invalid": 'A threshold is a decimal text like "12.5": digits and one point.'}

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not _THRESHOLD.fullmatch(data):
            self.fail("invalid")
        return Decimal(data)


def _addresses(**more: Any) -> serializers.ListField:
    return serializers.ListField(child=TextField(min_length=3, max_length=254), max_length=MOST_ADDRESSES, **more)


class NothingRequest(StrictSerializer):
    pass


class AcknowledgeRequest(StrictSerializer):
    note = TextField(required=False, max_length=200, help_text="For the alert's history.")


class AlertAnswer(StrictSerializer):
    id = serializers.UUIDField()
    config_id = serializers.UUIDField(allow_null=True, help_text="The rule by which it came about; none: raised.")
    type = TextField()
    severity = serializers.ChoiceField(Severity.values)
    state = serializers.ChoiceField(Alert.State.values)
    title = TextField()
    detail = TextField(allow_null=True)
    asset = TextField(allow_null=True)
    subject_type = TextField(allow_null=True)
    subject_id = TextField(allow_null=True)
    value = TextField(allow_null=True, help_text="What was measured last, with its unit.")
    threshold = TextField(allow_null=True)
    occurrences = serializers.IntegerField(help_text="Evaluations in which its condition held.")
    first_seen = serializers.DateTimeField()
    last_seen = serializers.DateTimeField()
    muted_until = serializers.DateTimeField(allow_null=True)
    owner = TextField(allow_null=True)
    acknowledged_by = TextField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    resolved_by = TextField(allow_null=True, help_text="Null while it lasts, and where it ended by itself.")
    resolved_at = serializers.DateTimeField(allow_null=True)
    classification = serializers.ChoiceField(Alert.Classification.values, allow_null=True)


class AlertPage(PageAnswer):
    data = AlertAnswer(many=True)  # type: ignore[assignment]


class ChangedConfigRequest(StrictSerializer):
    name = TextField(required=False, min_length=1, max_length=80)
    threshold = ThresholdField(required=False)
    severity = serializers.ChoiceField(Severity.values, required=False)
    window_minutes = WholeNumberField(required=False, min_value=1, max_value=LONGEST_MINUTES)
    minimum_volume = WholeNumberField(required=False, min_value=0, max_value=10**9)
    asset = TextField(required=False, allow_blank=True, max_length=16, help_text="Empty: all.")
    recipients = _addresses(required=False)
    slack_url = TextField(required=False, allow_blank=True, max_length=500, help_text="Never shown again. Empty: none.")
    cooldown_minutes = WholeNumberField(required=False, min_value=0, max_value=LONGEST_MINUTES)
    escalate_after_minutes = WholeNumberField(
        required=False, allow_null=True, min_value=5, max_value=LONGEST_MINUTES
    )  # fmt: skip
    escalation_recipients = _addresses(required=False)
    resolve_after = WholeNumberField(required=False, min_value=1, max_value=100, help_text="Evaluations without it.")
    weekdays = serializers.ListField(
        child=WholeNumberField(min_value=1, max_value=7), max_length=7, required=False,
        help_text="When it is evaluated: 1 is Monday. Empty: every day.",
    )  # fmt: skip
    from_hour = WholeNumberField(required=False, min_value=0, max_value=23, help_text="In UTC.")
    to_hour = WholeNumberField(required=False, min_value=1, max_value=24, help_text="Before this hour, in UTC.")
    enabled = FlagField(required=False)


class NewConfigRequest(ChangedConfigRequest):
    type = serializers.ChoiceField(list(TYPES))
    name = TextField(min_length=1, max_length=80)
    threshold = ThresholdField()
    severity = serializers.ChoiceField(Severity.values)


class ConfigAnswer(StrictSerializer):
    id = serializers.UUIDField()
    type = TextField()
    unit = TextField(help_text="Of the threshold.")
    name = TextField()
    threshold = TextField()
    severity = serializers.ChoiceField(Severity.values)
    window_minutes = serializers.IntegerField()
    minimum_volume = serializers.IntegerField()
    asset = TextField(allow_blank=True)
    recipients = serializers.ListField(child=TextField())
    slack_host = TextField(allow_blank=True)
    cooldown_minutes = serializers.IntegerField()
    escalate_after_minutes = serializers.IntegerField(allow_null=True)
    escalation_recipients = serializers.ListField(child=TextField())
    resolve_after = serializers.IntegerField()
    weekdays = serializers.ListField(child=serializers.IntegerField())
    from_hour = serializers.IntegerField()
    to_hour = serializers.IntegerField()
    enabled = FlagField()
    muted_until = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()


class DoubtedConfigAnswer(ConfigAnswer):
    would_have_fired = serializers.IntegerField(help_text="Alerts in the last 7 days.")
    warnings = serializers.ListField(
        child=TextField(), help_text="What is doubtful about it: that it can never fire, always fires, tells nobody."
    )


class ConfigPage(PageAnswer):
    data = ConfigAnswer(many=True)  # type: ignore[assignment]


class TestAnswer(StrictSerializer):
    addresses = serializers.ListField(child=TextField(), help_text="Where a test is on its way to.")
