"""The shapes of summaries in requests and answers."""

from rest_framework import serializers

from ops.summaries.models import Summary
from walletplatform.api.fields import StrictSerializer, TextField, TimeField
from walletplatform.api.pagination import PageAnswer


class NewSummaryRequest(StrictSerializer):
    begins_at = TimeField(help_text="A whole minute.")
    ends_at = TimeField(help_text="A whole minute that has passed; the window has 31 days at most.")
    code = TextField(required=False, max_length=40, help_text="Of an incident: the failure that it is about.")


class ClaimAnswer(StrictSerializer):
    text = TextField()
    facts = serializers.ListField(child=TextField(), help_text="The keys of the facts that it is about.")


class SummaryAnswer(StrictSerializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Summary.Kind.values)
    state = serializers.ChoiceField(Summary.State.values)
    begins_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    code = TextField(allow_null=True)
    title = TextField(allow_null=True)
    claims = ClaimAnswer(many=True)
    written_by = serializers.ChoiceField(Summary.Writer.values, allow_null=True)
    why = serializers.ChoiceField(Summary.Why.values, allow_null=True, help_text="Why the template wrote it.")
    detail = TextField(allow_null=True)
    model = TextField(allow_null=True)
    prompt_version = TextField(allow_null=True)
    tokens_in = serializers.IntegerField()
    tokens_out = serializers.IntegerField()
    cost = TextField(help_text="Of the model's calls, a decimal text in the currency of the prices that are set.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class FactAnswer(StrictSerializer):
    key = TextField()
    label = TextField(help_text="What is counted.")  # type: ignore[assignment]
    value = TextField(help_text="As it may be told, with commas between thousands.")
    unit = TextField(help_text="An asset, %, hours or UTC; empty where the label says it.")
    before = TextField(help_text="The value of the window before, or empty.")
    change = TextField(help_text="By how many per cent it went up or down, or empty.")
    direction = serializers.ChoiceField(["", "up", "down", "same"])
    subject = TextField(help_text="The name under which a wallet is told of, or empty.")


class WholeSummaryAnswer(SummaryAnswer):
    facts = FactAnswer(many=True)
    names = serializers.DictField(child=TextField(), help_text="The ids that such names stand for.")


class SummaryPage(PageAnswer):
    data = SummaryAnswer(many=True)  # type: ignore[assignment]
