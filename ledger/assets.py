"""Bring an asset into being, together with its system accounts."""

from django.db.transaction import atomic

from ledger import clock
from ledger.ids import id_maker
from ledger.models import Account, Asset

SYSTEM_KINDS = ["treasury", "bonus", "revenue", "fees", "fx", "suspense", "settlement"]


@atomic
def create_asset(*, code: str, name: str, kind: str, scale: int) -> Asset:
    """
    Create an asset whose unit has ``scale`` decimals, with one account of each system kind.

    :raises django.db.IntegrityError: if the code is taken or malformed, or the scale not within 0-8
    """
    now = clock.now()
    new_id = id_maker(at=now)
    asset = Asset.objects.create(code=code, name=name, kind=kind, scale=scale, created_at=now)
    # System accounts may go below zero without bound: they are where an asset enters and leaves.
    Account.objects.bulk_create(
        Account(id=new_id(), asset=asset, kind=kind, min_available=None, open=True, created_at=now)
        for kind in SYSTEM_KINDS
    )
    return asset
