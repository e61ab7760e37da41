"""The shapes of wallet requests and answers."""

from typing import Any

from rest_framework import serializers

from walletplatform.api.fields import FlagField, IdField, MetadataField, StrictSerializer, TextField
from walletplatform.api.pagination import PageAnswer
from wallets.models import Wallet


class NewWalletRequest(StrictSerializer):
    user_id = IdField(help_text="The owner; any UUID of yours.")
    asset = TextField(max_length=16)
    label = TextField(max_length=80, required=False, default="", allow_blank=True)
    metadata = MetadataField(required=False, default=dict)
    activate = FlagField(required=False, default=False, help_text="Open it ACTIVE at once.")


class StatusRequest(StrictSerializer):
    status = serializers.ChoiceField(["ACTIVE", "SUSPENDED", "CLOSED"])
    reason = TextField(max_length=300)


class WalletAnswer(StrictSerializer):
    id = serializers.UUIDField()
    user_id = serializers.UUIDField()
    asset = TextField()
    status = serializers.ChoiceField(Wallet.Status.choices)
    label = TextField(allow_blank=True)
    metadata = MetadataField()
    balance = TextField()
    held = TextField()
    available = TextField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class WalletPage(PageAnswer):
    data = WalletAnswer(many=True)


class BalanceAnswer(StrictSerializer):
    wallet_id = serializers.UUIDField()
    asset = TextField()
    balance = TextField()
    held = TextField(allow_null=True, help_text="Null for a past moment.")
    available = TextField(allow_null=True, help_text="Null for a past moment.")
    at = serializers.DateTimeField(help_text="The moment asked about; else since when it stands so.")


class EntryAnswer(StrictSerializer):
    id = serializers.UUIDField()
    transaction_id = serializers.UUIDField()
    kind = TextField()
    seq = serializers.IntegerField()
    direction = serializers.ChoiceField(["DEBIT", "CREDIT"])
    amount = TextField()
    balance_before = TextField()
    balance_after = TextField()
    booked_at = serializers.DateTimeField()
    effective_at = serializers.DateTimeField()


class EntryPage(PageAnswer):
    data = EntryAnswer(many=True)


class TransactionAnswer(StrictSerializer):
    id = serializers.UUIDField()
    payment_id = serializers.UUIDField()
    kind = TextField()
    entry_count = serializers.IntegerField()
    booked_at = serializers.DateTimeField()
    effective_at = serializers.DateTimeField()


class TransactionPage(PageAnswer):
    data = TransactionAnswer(many=True)


class StatementAnswer(StrictSerializer):
    def get_fields(self) -> dict[str, Any]:
        # "from" is no name that Python lets a class attribute have.
        borders = {"from": serializers.DateTimeField(), "to": serializers.DateTimeField()}
        return borders | super().get_fields()

    wallet_id = serializers.UUIDField()
    asset = TextField()
    by = serializers.ChoiceField(["booked", "effective"])
    opening_balance = TextField()
    closing_balance = TextField()
    entries = EntryAnswer(many=True)


class BalancesByAsset(StrictSerializer):
    asset = TextField()
    balance = TextField()
    held = TextField()
    available = TextField()
    wallets = serializers.IntegerField()


class UserBalancesAnswer(StrictSerializer):
    user_id = serializers.UUIDField()
    balances = BalancesByAsset(many=True)
