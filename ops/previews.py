"""What would happen, as a table: each account's balance and what is held of it, before and after."""

from __future__ import annotations

from typing import Any

import orjson

from ledger.models import Account
from ledger.money import to_text
from payments.previewing import Change, Preview


def shown(preview: Preview) -> dict[str, Any]:
    """Return what a template says of a preview: ``declined`` with why, or the ``rows`` that change."""
    if preview.outcome.status >= 400:
        return {"declined": orjson.loads(preview.outcome.body)["detail"], "rows": []}
    return {"declined": "", "rows": [_row(change) for change in preview.changes]}


def _row(change: Change) -> dict[str, Any]:
    def text(minor: int) -> str:
        return f"{to_text(minor, change.scale)}\N{NO-BREAK SPACE}{change.asset}"

    return {
        "account_id": change.account_id,
        "is_wallet": change.kind == Account.Kind.WALLET,
        "name": f"…{str(change.account_id)[-12:]}" if change.kind == Account.Kind.WALLET else change.kind,
        "balance": [text(minor) for minor in change.balance],
        "held": [text(minor) for minor in change.held],
    }
