"""From what amount on money is given back by two people (setting ``LARGE_REFUNDS``); small steps add up."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings

from ledger.money import to_minor
from payments.models import Payment


def largest(payment: Payment) -> int | None:
    """Return what may be given back of a payment in all without a second person; None where its asset is not named."""
    named: str | None = settings.LARGE_REFUNDS.get(payment.asset_id)
    # With more decimals than its asset has it is a mistake: then everything needs two.
    return None if named is None else to_minor(Decimal(named), payment.asset.scale) or 0


def largest_alone(payment: Payment) -> int | None:
    """Return what one person may still give back of a payment, in minor units; None where its asset is not named."""
    most = largest(payment)
    return None if most is None else max(most - payment.refunded_amount, 0)


def is_large(amount: int, payment: Payment) -> bool:
    """Whether a client system's giving back of ``amount`` needs a second person: never where the asset is not named."""
    most = largest_alone(payment)
    return most is not None and amount > most
