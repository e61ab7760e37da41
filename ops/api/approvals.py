"""``/approvals``: what a client system has asked for and a person decides about."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from rest_framework import serializers

from ops.approvals.models import Approval
from walletplatform.api.fields import StrictSerializer, TextField
from walletplatform.api.problems import Problem
from walletplatform.api.responses import json_response
from walletplatform.api.schema import operation
from walletplatform.api.times import time_text
from walletplatform.api.views import ApiView


class ApprovalAnswer(StrictSerializer):
    id = serializers.UUIDField()
    action = TextField(help_text="wallet.activate, payment.refund, payment.reverse, ...")
    target_type = TextField()
    target_id = serializers.UUIDField()
    amount = TextField(allow_null=True)
    asset = TextField(allow_null=True)
    state = serializers.ChoiceField(Approval.State.values, help_text="EXECUTED: it is done. FAILED: result says why.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    result = serializers.DictField(allow_null=True, help_text="With payment_id where a payment came of it.")


def represent(approval: Approval) -> dict[str, Any]:
    """Return a proposal as the API shows it; who decided is for staff."""
    amount = approval.payload.get("amount") if approval.amount_minor else None
    return {
        "id": approval.pk, "action": approval.action, "target_type": approval.target_type,
        "target_id": approval.target_id, "amount": amount, "asset": approval.asset or None, "state": approval.state,
        "created_at": time_text(approval.created_at), "expires_at": time_text(approval.expires_at),
        "decided_at": approval.decided_at and time_text(approval.decided_at), "result": approval.result,
    }  # fmt: skip


class ApprovalView(ApiView):
    scopes = {"GET": None}

    @operation(
        "Get what was proposed, and what became of it", answer=ApprovalAnswer, problems=["not_found"],
        description="Answered to the client system that proposed it.",
    )  # fmt: skip
    def get(self, request: HttpRequest, approval_id: UUID) -> HttpResponse:
        approval = Approval.objects.filter(pk=approval_id, maker_id=self.principal.id).first()
        if approval is None:
            raise Problem("not_found", "There is no such proposal.")
        return json_response(represent(approval))
