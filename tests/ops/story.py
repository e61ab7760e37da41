"""A story of everything that can happen to payments and wallets, to be reconciled; and how it is spoilt."""

from __future__ import annotations

import time
from decimal import Decimal

import psycopg

from events import consuming
from events.consumers import CONSUMERS
from events.sequencer import sequence
from ledger.assets import create_asset
from ops.reconciliation.runs import ask, execute
from ops.statements.importing import import_file
from ops.statements.matching import match_source
from payments.expiry import expire_holds
from tests.actors import actor
from tests.conftest import admin_url
from tests.money import value
from tests.ops.statements.files import csv_file, source
from tests.ops.two_people import allow, limit, overdraft
from tests.payments.holds import act, authorize, wait_until_due
from walletplatform.audit.actors import of_command

CONSUMED = ("figures", "holds", "settlement", "failures")


def tell_all():
    while sequence():
        pass
    for name in CONSUMED:
        while consuming.consume(CONSUMERS[name]):
            pass


def begin_within_an_hour(*, seconds):
    """Wait for the next hour where less than so much of this one is left."""
    while time.time() % 3600 > 3600 - seconds:
        time.sleep(1)


def tell_story():
    """
    What can happen to payments and wallets, told and taken in; something of it before the first run.

    All within one hour (UTC): its figures are what tests spoil.
    """
    begin_within_an_hour(seconds=45)
    shop = actor("client")
    create_asset(code="EUR", name="Euro", kind="fiat", scale=2)
    old = shop.wallet(holding="5.00")
    shop.wallet(holding="5.00")
    tell_all()
    assert run().state == "CLEAN"

    ann, bob, eve = shop.wallet(holding="10.00"), shop.wallet(), shop.wallet(holding="20.00")
    paid = shop.pay(ann, bob, "4.00").json()["id"]
    refunded = shop.pay(eve, bob, "1.00").json()["id"]
    act(shop, refunded, "refund", {"amount": "0.50"})
    act(shop, shop.pay(eve, bob, "1.00").json()["id"], "reverse", {"reason": "twice"})
    shop.pay(ann, bob, "1000.00")
    failed = str(value("SELECT payment_id FROM transaction_failures"))
    captured, released, voided, raised, held = (authorize(shop, eve, bob, "2.00") for _ in range(5))
    act(shop, captured, "capture", {"amount": "1.00", "final": False})
    act(shop, captured, "void")
    act(shop, captured, "capture")
    act(shop, released, "capture", {"amount": "0.50"})
    act(shop, voided, "void")
    act(shop, raised, "reauthorize", {"amount": "3.00"})
    act(shop, raised, "extend", {"expires_in": 604800})
    act(shop, raised, "capture")
    act(shop, held, "reauthorize", {"amount": "30.00"})
    review = {"metadata": {"policy": "review"}}
    approved, denied, withdrawn, _ = (shop.pay(eve, bob, "1.00", **review).json()["id"] for _ in range(4))
    held_later, never_held, dropped = (authorize_later(shop, eve, bob, review) for _ in range(3))
    for payment, approve in ((approved, True), (denied, False), (held_later, True), (never_held, False)):
        answer = act(shop, payment, "review", {"approve": approve})
        assert answer.status_code == 200, answer.content
    act(shop, held_later, "capture", {"amount": "0.20"})
    act(shop, dropped, "void")
    act(shop, withdrawn, "void")
    short = authorize(shop, eve, bob, "1.00", expires_in=1)
    wait_until_due(short)
    assert sum(expire_holds()) == 1
    closed, suspended = shop.wallet(), shop.wallet(holding="1.00")
    shop.set_status(closed, "SUSPENDED")
    shop.set_status(closed, "CLOSED")
    shop.set_status(suspended, "SUSPENDED")
    shop.post("/spends", {"wallet_id": bob, "amount": "0.10"})
    shop.post("/bonuses", {"wallet_id": bob, "amount": "0.10"})
    limited, over = limited_and_overdrawn(shop, bob)
    tell_all()
    assert value("SELECT count(*) FROM parked_events") == 0
    statement, match = tell_the_bank()
    return {
        "old": old, "ann": ann, "bob": bob, "paid": paid, "refunded": refunded, "failed": failed,
        "captured": captured, "held": held, "limited": limited, "over": over, "statement": statement, "match": match,
        "position": str(value("SELECT position FROM events WHERE subject = %s", paid)),
        "entry": str(value("SELECT id FROM ledger_entries WHERE transaction_id = %s AND leg = 1", paid)),
        "day": str(value("SELECT day FROM settlement_totals WHERE account_id = %s", ann)),
    }  # fmt: skip


def limited_and_overdrawn(shop, bob):
    """One wallet that pays within a limit a day, one that was below 0 while it might be, and an adjustment."""
    limited, over = shop.wallet(holding="50.00"), shop.wallet(holding="1.00")
    limit(limited, per_payment=1000, per_day=1500)
    shop.pay(limited, bob, "5.00")
    hold = authorize(shop, limited, bob, "2.00")
    act(shop, hold, "reauthorize", {"amount": "3.00"})
    act(shop, hold, "void")
    assert shop.pay(limited, bob, "7.01").json()["code"] == "limit_exceeded"
    overdraft(over, "5.00")
    shop.pay(over, bob, "4.00")
    allow("wallet.adjust", over, amount=Decimal(3), direction="credit", reference="case 7")
    overdraft(over, "0.00")
    return limited, over


def tell_the_bank():
    """A statement with the top-up of 10.00, matched, and a line that nothing matches."""
    bank = source("EUR")
    content = csv_file("EUR", [{"amount": "10.00"}, {"amount": "3.33"}])
    [statement] = import_file(actor=of_command(), source=bank, file_name="bank.csv", content=content)
    match_source(bank.pk)
    return str(statement.pk), str(value("SELECT id FROM statement_matches"))


def authorize_later(shop, sender, receiver, review):
    answer = shop.pay(sender, receiver, "1.00", capture=False, **review)
    assert answer.status_code == 202, answer.content
    return answer.json()["id"]


def run(kind="incremental"):
    return execute(ask(kind).id)


def plant(database, sql):
    with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=database)) as admin:
        # What only a superuser can do: past every trigger, constraint trigger and foreign key.
        admin.execute("SET session_replication_role = replica")
        admin.execute(sql)
