"""Change what a wallet may do: under the lock of its account, and with a version of its own."""

from __future__ import annotations

from uuid import UUID

from ledger import clock
from ledger.models import Account
from walletplatform.api.problems import Problem
from wallets.models import Wallet
from wallets.representation import etag


def locked_wallet(wallet_id: UUID, expected_etag: str) -> Wallet:
    """
    Return a wallet whose account nothing moves meanwhile, to change what it may do.

    :raises Problem: ``not_found``, ``precondition_failed``, ``invalid_state`` where it is CLOSED
    """
    account = Account.objects.select_for_update(no_key=True).filter(id=wallet_id).first()
    wallet = Wallet.objects.select_related("asset").filter(pk=wallet_id).first()
    if account is None or wallet is None:
        raise Problem("not_found", "There is no such wallet.")
    if expected_etag != etag(wallet):
        raise Problem("precondition_failed", f"The wallet is at version {wallet.version} by now.")
    if wallet.status == Wallet.Status.CLOSED:
        raise Problem("invalid_state", "The wallet is CLOSED; that is final.", current_state=wallet.status)
    wallet.account = account
    return wallet


def renew(wallet: Wallet) -> None:
    """Give the wallet a new version: what was decided about it as it was is to be looked at again."""
    wallet.version, wallet.updated_at = wallet.version + 1, clock.now()
    wallet.save(update_fields=["version", "updated_at"])
