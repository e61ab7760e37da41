"""How much of each asset is in wallets, a minute old at most."""

from __future__ import annotations

from time import time

import orjson
from django.db.models import Sum

from ledger.models import Account
from ledger.money import to_text
from walletplatform.cache.redis import ask

SECONDS = 60
NAME = "dashboard:balances"


def balances() -> tuple[list[dict[str, str]], int]:
    """Return the balances by asset and their age in seconds: from Redis, or as they are now."""
    stored = ask("dashboard", lambda redis: redis.get(NAME), None)
    try:
        made_at, figures = orjson.loads(stored) if stored else (0, None)
        age = int(time() - made_at)
        if figures is not None and 0 <= age < SECONDS:
            return figures, age
    except (ValueError, TypeError):
        pass  # not ours: as if there were none
    figures = _read()
    value = orjson.dumps([time(), figures])
    ask("dashboard", lambda redis: redis.set(NAME, value, ex=SECONDS), None)
    return figures, 0


def _read() -> list[dict[str, str]]:
    """By the few system accounts alone: all balances of an asset add up to 0, so wallets hold the rest."""
    totals = (
        Account.objects.exclude(kind=Account.Kind.WALLET)
        .values("asset__code", "asset__name", "asset__scale")
        .annotate(total=Sum("balance"))
        .order_by("asset__code")
    )
    return [
        {
            "asset": total["asset__code"],
            "name": total["asset__name"],
            "in_wallets": to_text(-total["total"], total["asset__scale"]),
        }
        for total in totals
    ]
