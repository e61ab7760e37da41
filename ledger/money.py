"""
The one place where decimal texts and minor units meet.

Outside, an amount is a decimal text in the asset's unit (``"12.50"``); inside it is an integer of
minor units (1250 at scale 2). Nothing here rounds, and no float is involved.
"""

from decimal import Decimal

# 18 digits always fit a bigint, with room to add some.
MAX_AMOUNT = 10**18 - 1
MAX_BALANCE = 2**63 - 1


def to_minor(amount: Decimal, scale: int) -> int | None:
    """Return ``amount`` in minor units, or None where it is written with more decimals than ``scale``."""
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)  # not NaN or Infinity: fields let digits and a point pass only
    return None if -exponent > scale else int(amount.scaleb(scale))


def to_text(minor: int, scale: int) -> str:
    """Return minor units as decimal text with exactly ``scale`` decimals: ``(-5, 2) -> "-0.05"``."""
    if scale == 0:
        return str(minor)
    digits = f"{abs(minor):0{scale + 1}d}"
    return f"{'-' if minor < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"
