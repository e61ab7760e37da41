"""Open a wallet: an account of its own, in the name of a user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from events import outbox
from events.outbox import Fact
from ledger import clock
from ledger.idempotency import KeyedRequest
from ledger.ids import id_maker
from ledger.keyed import Answer, once
from ledger.models import Account, Asset
from walletplatform.api.problems import Problem
from walletplatform.identity.principal import Principal
from walletplatform.observability.request_id import current_request_id, current_traceparent
from wallets.models import Wallet
from wallets.representation import represent


@dataclass(frozen=True, slots=True)
class NewWallet:
    user_id: UUID
    asset: str
    label: str
    metadata: Mapping[str, Any]
    activate: bool


def open_wallet(*, principal: Principal, wanted: NewWallet, request: KeyedRequest | None) -> Answer:
    """
    Open a wallet, CREATED or at once ACTIVE; with a key, once for that key.

    :raises Problem: ``validation_error`` for an asset that the principal cannot see,
        ``idempotency_key_reused``, ``idempotency_in_progress``
    """
    return once(request, lambda: _open(principal, wanted))


def _open(principal: Principal, wanted: NewWallet) -> Answer:
    asset = Asset.objects.filter(code=wanted.asset).first()
    if asset is None or not principal.sees_asset(asset.code):
        detail = "There is no such asset. GET /api/v1/assets lists them."
        raise Problem(
            "validation_error",
            "The request has errors.",
            errors=[{"pointer": "/asset", "code": "unknown_asset", "detail": detail}],
        )
    now = clock.now()
    new_id = id_maker(at=now)
    account = Account(
        id=new_id(), asset=asset, kind=Account.Kind.WALLET, min_available=0,
        open=wanted.activate, created_at=now,
    )  # fmt: skip
    wallet = Wallet(
        account=account,
        user_id=wanted.user_id,
        asset=asset,
        label=wanted.label,
        metadata=wanted.metadata,
        status=Wallet.Status.ACTIVE if wanted.activate else Wallet.Status.CREATED,
        version=1,
        created_at=now,
        updated_at=now,
    )
    resource = represent(wallet)
    account.save(force_insert=True)
    wallet.save(force_insert=True)
    outbox.record(
        [
            Fact(
                new_id(), type, account.id, now, current_request_id(), current_traceparent(),
                {"wallet": resource, "actor": str(principal.id)},
            )
            for type in ["wallet.created", *(["wallet.activated"] if wanted.activate else [])]
        ]
    )  # fmt: skip
    return Answer(201, orjson.dumps(resource), account.id)
