"""What a wallet may pay, in words: its overdraft and its limits, and what is left of the day."""

from __future__ import annotations

from ledger.admin import money
from payments.limiting import bounds_of, left_today
from wallets.models import Wallet


def what_it_may(wallet: Wallet) -> list[tuple[str, str]]:
    """Return each allowance with its name, the lack of one too."""
    bounds, asset = bounds_of(wallet), wallet.asset
    overdraft = -(wallet.account.min_available or 0)
    of_a_day = "no limit"
    if bounds.per_day is not None:
        of_a_day = (
            f"{money(bounds.per_day, asset)}, of which {money(left_today(wallet.pk, bounds), asset)} are left today"
        )
    return [
        ("Overdraft", money(overdraft, asset) if overdraft else "none"),
        ("In one payment", "no limit" if bounds.per_payment is None else f"{money(bounds.per_payment, asset)}"),
        ("In a day (UTC)", of_a_day),
    ]
