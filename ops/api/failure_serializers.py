"""The shapes of failure analysis in answers."""

from typing import Any

from rest_framework import serializers

from ops.failures.analysis import DIMENSIONS
from walletplatform.api.fields import FlagField, StrictSerializer, TextField


class AmountAnswer(StrictSerializer):
    asset = TextField()
    amount = TextField()


class CountedAnswer(StrictSerializer):
    failures = serializers.IntegerField()
    amounts = AmountAnswer(many=True, help_text="What should have moved, by asset.")
    previous = serializers.IntegerField(help_text="In the window of the same length before.")
    change = TextField(allow_null=True, help_text='Against it: "0.2500" is a quarter more. null: there were none.')
    week_before = serializers.IntegerField(help_text="In the same window a week before.")
    week_change = TextField(allow_null=True)
    first_seen = serializers.DateTimeField(allow_null=True)
    last_seen = serializers.DateTimeField(allow_null=True)


class FailureGroupAnswer(CountedAnswer):
    key = TextField(help_text="The code, the category, the hour's beginning, the client's or the wallet's id.")
    title = TextField(help_text="The same in words.")
    share = TextField(help_text='Of all failures of the window: "0.2500" is a quarter.')
    examples = serializers.ListField(child=serializers.UUIDField(), help_text="The last few payments.")


class FailureAnalysisAnswer(StrictSerializer):
    def get_fields(self) -> dict[str, Any]:
        # "from" is no name that Python lets a class attribute have.
        borders = {"from": serializers.DateTimeField(), "to": serializers.DateTimeField()}
        return borders | super().get_fields()

    by = serializers.ChoiceField(list(DIMENSIONS))
    total = CountedAnswer()
    groups = FailureGroupAnswer(many=True, help_text="The largest first; hours in their order.")
    has_more = FlagField(help_text="There are smaller groups than these.")
