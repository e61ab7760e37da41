"""A payment as the API answers it, whether just decided or read back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger.money import to_text
from payments.commands import FLOWS, WALLET
from payments.models import Payment, TransactionFailure
from walletplatform.api.times import time_text


def represent(
    *,
    id: UUID,
    kind: str,
    status: str,
    asset: str,
    scale: int,
    amount: int,
    sender_id: UUID,
    receiver_id: UUID,
    description: str,
    metadata: Mapping[str, Any],
    request_id: str,
    created_at: datetime,
    effective_at: datetime,
    failure: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """
    Return the payment resource. ``amount`` is minor units; system accounts are shown as null.

    ``transaction_id`` is the payment's own id once it has posted.
    """
    flow = FLOWS[kind]
    return {
        "id": id,
        "kind": kind,
        "status": status,
        "asset": asset,
        "amount": to_text(amount, scale),
        "sender_wallet_id": sender_id if flow.sender == WALLET else None,
        "receiver_wallet_id": receiver_id if flow.receiver == WALLET else None,
        "description": description,
        "metadata": metadata,
        "transaction_id": id if status == "SETTLED" else None,
        "failure": failure,
        "request_id": request_id,
        "created_at": time_text(created_at),
        "effective_at": time_text(effective_at),
    }


def represent_row(payment: Payment) -> dict[str, Any]:
    """Return the payment resource of a row; its asset and failure are loaded with it."""
    failure: TransactionFailure | None = getattr(payment, "failure", None)
    return represent(
        id=payment.id,
        kind=payment.kind,
        status=payment.status,
        asset=payment.asset_id,
        scale=payment.asset.scale,
        amount=payment.amount,
        sender_id=payment.sender_id,
        receiver_id=payment.receiver_id,
        description=payment.description,
        metadata=payment.metadata,
        request_id=payment.request_id,
        created_at=payment.created_at,
        effective_at=payment.effective_at,
        failure={"code": failure.code, "category": failure.category, "detail": failure.detail} if failure else None,
    )
