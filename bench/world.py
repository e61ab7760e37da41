"""The benchmark's own database and wallets."""

from __future__ import annotations

import os
from decimal import Decimal
from uuid import UUID, uuid4

import orjson
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from ledger.assets import create_asset
from ledger.database import close_money_pool
from payments.commands import Capture, Move
from payments.engine import execute
from walletplatform.embedded.roles import prepare_database
from walletplatform.identity.principal import Principal
from walletplatform.identity.scopes import SCOPES
from wallets.opening import NewWallet, open_wallet

DATABASE = "bench"
WALLETS = 1000
CLIENT = Principal(
    id=UUID("00000000-0000-7000-8000-000000000001"), kind="client", scopes=frozenset(SCOPES), assets=None
)


def admin_url(database: str = "postgres") -> str:
    return psycopg.conninfo.make_conninfo(os.environ["TEST_ADMIN_DATABASE_URL"], dbname=database)


def make_world() -> list[UUID]:
    """Make the database anew, with funded wallets; return their ids, the hot one first."""
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    prepare_database(admin_url(), name=DATABASE)
    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = settings.DATABASES[alias]["NAME"] = DATABASE
    call_command("migrate", verbosity=0)
    create_asset(code="EUR", name="Euro", kind="fiat", scale=2)
    wallets = []
    for _ in range(WALLETS):
        wanted = NewWallet(user_id=uuid4(), asset="EUR", label="", metadata={}, activate=True)
        wallets.append(UUID(orjson.loads(open_wallet(principal=CLIENT, wanted=wanted, request=None).body)["id"]))
    execute([move(None, wallet, "10000000.00", kind="topup") for wallet in wallets])
    execute([move(None, wallets[0], "10000000000.00", kind="topup")])
    with psycopg.connect(admin_url(DATABASE), autocommit=True) as admin:
        admin.execute("VACUUM ANALYZE")
    close_money_pool()
    return wallets


def move(sender: UUID | None, receiver: UUID, amount: str, *, kind: str = "transfer") -> Move:
    key = uuid4()
    return Move(
        principal=CLIENT, key=str(key), fingerprint=key.bytes * 2, request_id=key.hex, traceparent="",
        kind=kind, sender_id=sender, receiver_id=receiver, amount=Decimal(amount), description="", metadata={},
        expires_in=600 if kind == "authorization" else 0,
    )  # fmt: skip


def capture(payment: UUID) -> Capture:
    key = uuid4()
    return Capture(
        principal=CLIENT, key=str(key), fingerprint=key.bytes * 2, request_id=key.hex, traceparent="",
        payment_id=payment,
    )  # fmt: skip
