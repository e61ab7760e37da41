"""A payment as the API answers it, whether just decided or read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.money import to_text
from payments.commands import ONE_STEP, WALLET
from payments.models import Payment, TransactionFailure
from payments.state import PaymentState
from walletplatform.api.times import time_text


def represent(
    payment: Payment | PaymentState,
    *,
    asset: str,
    scale: int,
    sender_kind: str,
    receiver_kind: str,
    failure: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """
    Return the payment resource. System accounts are shown as null.

    ``transaction_id`` is the payment's own id once it has posted; an authorization never posts, its
    captures do.
    """
    settled, posts = payment.status == "SETTLED", payment.kind != "authorization"
    captured = payment.amount if settled and payment.kind in ONE_STEP else payment.captured_amount
    authorized, expires_at = payment.authorized_amount, payment.expires_at
    return {
        "id": payment.id,
        "kind": payment.kind,
        "status": payment.status,
        "asset": asset,
        "amount": to_text(payment.amount, scale),
        "sender_wallet_id": payment.sender_id if sender_kind == WALLET else None,
        "receiver_wallet_id": payment.receiver_id if receiver_kind == WALLET else None,
        "description": payment.description,
        "metadata": payment.metadata,
        "transaction_id": payment.id if settled and posts else None,
        "parent_id": payment.parent_id,
        "authorized_amount": None if authorized is None else to_text(authorized, scale),
        "captured_amount": to_text(captured, scale),
        "refunded_amount": to_text(payment.refunded_amount, scale),
        "expires_at": None if expires_at is None else time_text(expires_at),
        "failure": failure,
        "request_id": payment.request_id,
        "created_at": time_text(payment.created_at),
        "effective_at": time_text(payment.effective_at),
    }


def represent_row(payment: Payment) -> dict[str, Any]:
    """Return the payment resource of a row; its asset, sides and failure are loaded with it."""
    failure: TransactionFailure | None = getattr(payment, "failure", None)
    return represent(
        payment,
        asset=payment.asset_id,
        scale=payment.asset.scale,
        sender_kind=payment.sender.kind,
        receiver_kind=payment.receiver.kind,
        failure={"code": failure.code, "category": failure.category, "detail": failure.detail} if failure else None,
    )
