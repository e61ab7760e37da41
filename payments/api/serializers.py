"""The shapes of payment requests and answers."""

from rest_framework import serializers

from payments.models import Payment
from walletplatform.api.fields import (
    AmountField,
    FlagField,
    IdField,
    MetadataField,
    StrictSerializer,
    TextField,
)
from wallets.api.serializers import PageAnswer, TransactionAnswer


class _MoneyRequest(StrictSerializer):
    amount = AmountField()
    description = TextField(max_length=200, required=False, default="", allow_blank=True)
    metadata = MetadataField(required=False, default=dict)


class TransferRequest(_MoneyRequest):
    sender_wallet_id = IdField()
    receiver_wallet_id = IdField()
    capture = FlagField(required=False, default=True, help_text="true: paid in one step.")

    def validate_capture(self, capture: bool) -> bool:
        if not capture:
            raise serializers.ValidationError("Only payments in one step are offered.")
        return capture


class WalletMoneyRequest(_MoneyRequest):
    wallet_id = IdField()


class FailureAnswer(StrictSerializer):
    code = TextField()
    category = TextField()
    detail = TextField()


class PaymentAnswer(StrictSerializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Payment.Kind.choices)
    status = serializers.ChoiceField(Payment.Status.choices)
    asset = TextField()
    amount = TextField()
    sender_wallet_id = serializers.UUIDField(allow_null=True)
    receiver_wallet_id = serializers.UUIDField(allow_null=True)
    description = TextField(allow_blank=True)
    metadata = MetadataField()
    transaction_id = serializers.UUIDField(allow_null=True)
    failure = FailureAnswer(allow_null=True)
    request_id = TextField()
    created_at = serializers.DateTimeField()
    effective_at = serializers.DateTimeField()


class PaymentPage(PageAnswer):
    data = PaymentAnswer(many=True)


class LedgerEntryAnswer(StrictSerializer):
    id = serializers.UUIDField()
    leg = serializers.IntegerField()
    wallet_id = serializers.UUIDField(allow_null=True)
    account_kind = TextField()
    asset = TextField()
    direction = serializers.ChoiceField(["DEBIT", "CREDIT"])
    amount = TextField()
    seq = serializers.IntegerField(allow_null=True)
    balance_before = TextField(allow_null=True)
    balance_after = TextField(allow_null=True)


class LedgerAnswer(StrictSerializer):
    transaction = TransactionAnswer()
    entries = LedgerEntryAnswer(many=True)
