"""Keep the accounts outside whose statements are compared with the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError
from django.db.transaction import atomic

from ledger import clock
from ledger.ids import id_maker
from ledger.models import Account, Asset
from ops.approvals.refusing import Refused
from ops.statements.mapping import stored, to_mapping
from ops.statements.models import MIRRORS, StatementSource
from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """``account`` is the kind of the system account that mirrors it; ``tolerance`` in minor units."""

    name: str
    asset: str
    account: str
    format: str
    mapping: Mapping[str, Any] = field(default_factory=dict)
    identifier: str = ""
    tolerance: int = 0
    window_days: int = 3
    patience_days: int = 2


@atomic(durable=True)
def make_source(*, actor: Actor, wanted: NewSource) -> StatementSource:
    """
    Make a source.

    :raises Refused: ``invalid`` where it cannot be one, ``already_open`` where its name or account has one
    """
    name = wanted.name.strip()
    if not name or len(name) > 40:
        raise Refused("invalid", "Give it a name of 40 characters at most.")
    if wanted.account not in MIRRORS:
        raise Refused("invalid", f"What is outside is mirrored by {' or '.join(MIRRORS)}.")
    asset = Asset.objects.filter(code=wanted.asset).first()
    account = Account.objects.filter(asset_id=wanted.asset, kind=wanted.account).first()
    if asset is None or account is None:
        raise Refused("invalid", f"There is no asset {wanted.asset!r}.")
    if wanted.format not in StatementSource.Format.values:
        raise Refused("invalid", f"Statements are {' or '.join(StatementSource.Format.values)}.")
    is_csv = wanted.format == StatementSource.Format.CSV
    mapping = stored(to_mapping(wanted.mapping)) if is_csv else {}
    _check_bounds(wanted)
    now = clock.now()
    source = StatementSource(
        id=id_maker(at=now)(), name=name, asset=asset, account=account, format=wanted.format, mapping=mapping,
        identifier="".join(wanted.identifier.split()), tolerance=wanted.tolerance, window_days=wanted.window_days,
        patience_days=wanted.patience_days, created_at=now,
    )  # fmt: skip
    try:
        with atomic():
            source.save(force_insert=True)
    except IntegrityError as error:
        raise Refused("already_open", "There is a source of this name, or of this account, already.") from error
    after = {
        "name": name, "asset": asset.code, "account": account.kind, "format": source.format, "mapping": mapping,
        "tolerance": source.tolerance, "window_days": source.window_days, "patience_days": source.patience_days,
    }  # fmt: skip
    record(actor=actor, action="statement_source.create", object_type="statement_source", object_id=source.pk,
           after=after)  # fmt: skip
    return source


def _check_bounds(wanted: NewSource) -> None:
    if not (0 <= wanted.tolerance <= 10**9 and 0 <= wanted.window_days <= 31 and 0 <= wanted.patience_days <= 60):
        raise Refused("invalid", "A pair differs by 31 days at most, and is told within 60.")
    if len("".join(wanted.identifier.split())) > 34:
        raise Refused("invalid", "An account's number has 34 characters at most.")
