"""The shapes of payment requests and answers."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from payments.models import Payment
from walletplatform.api.fields import (
    AmountField,
    FlagField,
    IdField,
    MetadataField,
    StrictSerializer,
    TextField,
    TimeField,
    WholeNumberField,
)
from walletplatform.api.pagination import PageAnswer
from wallets.api.serializers import TransactionAnswer

MAX_LIFETIME = 30 * 24 * 3600
DEFAULT_LIFETIME = 7 * 24 * 3600
MAX_BATCH = 5000
MAX_TOGETHER = 1000


def _lifetime(**more: Any) -> WholeNumberField:
    return WholeNumberField(min_value=1, max_value=MAX_LIFETIME, help_text="Seconds.", **more)


class _MoneyRequest(StrictSerializer):
    amount = AmountField()
    description = TextField(max_length=200, required=False, default="", allow_blank=True)
    metadata = MetadataField(required=False, default=dict)
    effective_at = TimeField(
        required=False, help_text="When it happened in the world, in the past (scope payments:backdate)."
    )


class TransferRequest(_MoneyRequest):
    sender_wallet_id = IdField()
    receiver_wallet_id = IdField()
    capture = FlagField(required=False, default=True, help_text="false: held on the sender, to be captured.")
    expires_in = _lifetime(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["capture"] and "expires_in" in attrs:
            raise serializers.ValidationError({"expires_in": "Only what is held expires: capture is true."})
        if not attrs["capture"] and "effective_at" in attrs:
            raise serializers.ValidationError({"effective_at": "What is held happens when it is captured."})
        return attrs


class WalletMoneyRequest(_MoneyRequest):
    wallet_id = IdField()


class CaptureRequest(StrictSerializer):
    amount = AmountField(required=False, help_text="All that remains, where it is left out.")
    final = FlagField(required=False, default=True, help_text="true: what remains is released.")


class VoidRequest(StrictSerializer):
    reason = TextField(max_length=200, required=False, default="", allow_blank=True)


class ExtendRequest(StrictSerializer):
    expires_in = _lifetime()


class ReauthorizeRequest(StrictSerializer):
    amount = AmountField(help_text="What is authorized in all from now on.")


class RefundRequest(StrictSerializer):
    amount = AmountField(required=False, help_text="All that is left, where it is left out.")
    reason = TextField(max_length=200, required=False, default="", allow_blank=True)


class ReverseRequest(StrictSerializer):
    reason = TextField(max_length=200, required=False, default="", allow_blank=True)


class ReviewRequest(StrictSerializer):
    approve = FlagField(help_text="true: let it happen; false: deny it.")


class TogetherRequest(StrictSerializer):
    payment_ids = serializers.ListField(child=IdField(), min_length=1, max_length=MAX_TOGETHER)

    def validate_payment_ids(self, ids: list[UUID]) -> list[UUID]:
        if len(set(ids)) < len(ids):
            raise serializers.ValidationError("A payment is named twice.", code="repeated")
        return ids


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
    parent_id = serializers.UUIDField(allow_null=True, help_text="The payment that this one acts on.")
    authorized_amount = TextField(allow_null=True, help_text="Of a hold: what it is for by now.")
    captured_amount = TextField()
    refunded_amount = TextField()
    expires_at = serializers.DateTimeField(allow_null=True)
    failure = FailureAnswer(allow_null=True)
    request_id = TextField()
    created_at = serializers.DateTimeField()
    effective_at = serializers.DateTimeField()


class PaymentsAnswer(StrictSerializer):
    data = PaymentAnswer(many=True)


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
