"""Allow a wallet to be overdrawn, or not any more. Two people have approved it: the database keeps to that."""

from __future__ import annotations

from uuid import UUID

import orjson

from ledger.idempotency import KeyedRequest
from ledger.keyed import Answer, once_under_lock
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import of_principal
from walletplatform.audit.trail import record
from walletplatform.identity.principal import Principal
from wallets.changing import locked_wallet, renew


def set_overdraft_once(
    request: KeyedRequest, *, principal: Principal, wallet_id: UUID, overdraft: int, reason: str, expected_etag: str
) -> Answer:
    """
    Let a wallet's available balance fall to ``-overdraft`` (minor units; 0 is none), once for its key.

    :raises Problem: ``not_found``; ``precondition_failed`` where the wallet has changed; ``invalid_state`` where it is
        CLOSED, or overdrawn by more already; those of keys
    """
    return once_under_lock(request, lambda: _set(principal, wallet_id, overdraft, reason, expected_etag))


def _set(principal: Principal, wallet_id: UUID, overdraft: int, reason: str, expected_etag: str) -> Answer:
    wallet = locked_wallet(wallet_id, expected_etag)
    account = wallet.account
    if account.balance - account.held < -overdraft:
        raise Problem("invalid_state", "The wallet is overdrawn by more than that.", current_state=wallet.status)
    before = {"min_available": account.min_available, "version": wallet.version}
    account.min_available = -overdraft
    account.save(update_fields=["min_available"])
    renew(wallet)
    record(
        actor=of_principal(principal),
        action="wallet.overdraft",
        object_type="wallet",
        object_id=wallet_id,
        before=before,
        after={"min_available": account.min_available, "version": wallet.version},
        reason=reason,
    )
    return Answer(200, orjson.dumps({"min_available": account.min_available}), wallet_id)
