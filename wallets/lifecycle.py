"""Move a wallet through its life: CREATED -> ACTIVE <-> SUSPENDED -> CLOSED."""

from __future__ import annotations

from uuid import UUID

import orjson
from django.db.transaction import atomic

from events import outbox
from events.outbox import Fact
from ledger import clock
from ledger.idempotency import KeyedRequest
from ledger.ids import id_maker
from ledger.keyed import Answer, once_under_lock
from ledger.models import Account
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import of_principal
from walletplatform.audit.trail import record
from walletplatform.identity.principal import Principal
from walletplatform.observability.request_id import current_request_id, current_traceparent
from wallets.models import Wallet, WalletTransition
from wallets.representation import etag, represent
from wallets.visibility import visible_wallets

EVENT = {
    Wallet.Status.ACTIVE: "wallet.activated",
    Wallet.Status.SUSPENDED: "wallet.suspended",
    Wallet.Status.CLOSED: "wallet.closed",
}
ACT = {
    Wallet.Status.ACTIVE: "wallet.activate",
    Wallet.Status.SUSPENDED: "wallet.suspend",
    Wallet.Status.CLOSED: "wallet.close",
}


@atomic(durable=True)
def change_status(*, principal: Principal, wallet_id: UUID, status: str, reason: str, expected_etag: str) -> Wallet:
    """
    Move a wallet to ``status`` and return it. Its account opens and closes with it.

    :raises Problem: ``not_found``; ``precondition_failed`` where ``expected_etag`` names another
        version; ``invalid_state`` where the move is not allowed, or money is left in it
    """
    return _change(principal, wallet_id, status, reason, expected_etag)


def change_status_once(
    request: KeyedRequest, *, principal: Principal, wallet_id: UUID, status: str, reason: str, expected_etag: str
) -> Answer:
    """
    The same, once for its key; the answer is the wallet as the API shows it.

    :raises Problem: as ``change_status``, and those of keys
    """

    def change() -> Answer:
        wallet = _change(principal, wallet_id, status, reason, expected_etag)
        return Answer(200, orjson.dumps(represent(wallet)), wallet_id)

    return once_under_lock(request, change)


def _change(principal: Principal, wallet_id: UUID, status: str, reason: str, expected_etag: str) -> Wallet:
    # The account first, as every payment does: nothing moves while the wallet changes.
    account = Account.objects.select_for_update(no_key=True).filter(id=wallet_id).first()
    wallet = visible_wallets(principal).filter(pk=wallet_id).first()
    if account is None or wallet is None:
        raise Problem("not_found", "There is no such wallet.")
    wallet.account = account
    if expected_etag not in ("*", etag(wallet)):
        raise Problem("precondition_failed", f"The wallet is at version {wallet.version} by now.")
    _check_move(wallet, account, status)

    before = {"status": wallet.status, "version": wallet.version}
    wallet.status, wallet.version, wallet.updated_at = status, wallet.version + 1, clock.now()
    account.open = status == Wallet.Status.ACTIVE
    wallet.save(update_fields=["status", "version", "updated_at"])
    account.save(update_fields=["open"])
    new_id = id_maker(at=wallet.updated_at)
    data = {"wallet": represent(wallet), "actor": str(principal.id), "reason": reason}
    outbox.record(
        [
            Fact(
                new_id(), EVENT[Wallet.Status(status)], wallet_id, wallet.updated_at,
                current_request_id(), current_traceparent(), data,
            )
        ]
    )  # fmt: skip
    record(
        actor=of_principal(principal),
        action=ACT[Wallet.Status(status)],
        object_type="wallet",
        object_id=wallet_id,
        before=before,
        after={"status": wallet.status, "version": wallet.version},
        reason=reason,
    )
    return wallet


def _check_move(wallet: Wallet, account: Account, status: str) -> None:
    allowed = list(
        WalletTransition.objects.filter(from_status=wallet.status)
        .order_by("to_status")
        .values_list("to_status", flat=True)
    )
    if status not in allowed:
        onward = f"from here it can become {' or '.join(allowed)}" if allowed else "that is final"
        raise Problem("invalid_state", f"The wallet is {wallet.status}; {onward}.", current_state=wallet.status)
    if status == Wallet.Status.CLOSED and (account.balance or account.held):
        raise Problem(
            "invalid_state",
            "A wallet closes at balance 0 with nothing held.",
            current_state=wallet.status,
        )
