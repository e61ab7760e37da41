"""A wallet as the API shows it."""

from __future__ import annotations

from typing import Any

from ledger.money import to_text
from walletplatform.api.times import time_text
from wallets.models import Wallet


def represent(wallet: Wallet) -> dict[str, Any]:
    """Return the wallet resource; ``wallet.account`` and ``wallet.asset`` are loaded with it."""
    account, scale = wallet.account, wallet.asset.scale
    return {
        "id": wallet.pk,
        "user_id": wallet.user_id,
        "asset": wallet.asset_id,
        "status": wallet.status,
        "label": wallet.label,
        "metadata": wallet.metadata,
        "balance": to_text(account.balance, scale),
        "held": to_text(account.held, scale),
        "available": to_text(account.balance - account.held, scale),
        "version": wallet.version,
        "created_at": time_text(wallet.created_at),
        "updated_at": time_text(wallet.updated_at),
    }


def etag(wallet: Wallet) -> str:
    """Name the version of the wallet itself. Payments change its balance, never its version."""
    return f'"{wallet.version}"'
