"""The shapes of reconciliation in requests and answers."""

from rest_framework import serializers

from ops.reconciliation.models import Finding, ReconciliationRun
from walletplatform.api.fields import FlagField, StrictSerializer, TextField


class NewRunRequest(StrictSerializer):
    kind = serializers.ChoiceField(
        ReconciliationRun.Kind.values, help_text="incremental: what is new since the last run. full: everything."
    )


class RunAnswer(StrictSerializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(ReconciliationRun.Kind.values)
    state = serializers.ChoiceField(ReconciliationRun.State.values)
    from_position = serializers.IntegerField(allow_null=True, help_text="Behind this position of the log...")
    to_position = serializers.IntegerField(allow_null=True, help_text="... and up to this one.")
    checked = serializers.DictField(child=serializers.IntegerField(), help_text="What was looked at, counted.")
    found = serializers.DictField(child=serializers.IntegerField(), help_text="Findings by kind.")
    truncated = FlagField(help_text="More was found of a kind than is kept.")
    error = TextField(allow_null=True)
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class FindingAnswer(StrictSerializer):
    id = serializers.UUIDField()
    kind = TextField()
    promise = TextField(allow_null=True)
    subject_type = TextField()
    subject_id = TextField()
    expected = serializers.DictField(help_text="Amounts are minor units, as text.")
    actual = serializers.DictField()
    state = serializers.ChoiceField(Finding.State.values)
    owner = TextField(allow_null=True)
    note = TextField(allow_null=True)
    first_seen = serializers.DateTimeField()
    last_seen = serializers.DateTimeField()


class OutsideAnswer(StrictSerializer):
    source = TextField(help_text="A bank's or provider's account.")
    asset = TextField()
    account = TextField(help_text="The kind of the system account that mirrors it.")
    statements = serializers.IntegerField()
    lines = serializers.IntegerField()
    matched = serializers.IntegerField(help_text="Lines that the ledger knows.")
    until = serializers.DateField(help_text="The last day that a statement covers.")
    open_exceptions = serializers.IntegerField()


class ReportAnswer(RunAnswer):
    findings = FindingAnswer(many=True)
    more_findings = FlagField()
    outside = OutsideAnswer(many=True, help_text="How far statements agree with the ledger, as of now.")
