"""Figures, holds and settlement totals: built from events, equal to a recount, whatever is replayed."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.db.transaction import atomic

from events import consuming, log
from events.consumers import CONSUMERS
from events.models import ParkedEvent
from events.parked import retry_one
from events.sequencer import sequence
from events.working import Halted
from ledger.verification import verify
from ops.jobs.housekeeping import verify_events
from ops.models import OpenHold, PaymentFigure, SettlementTotal
from ops.verification import event_checks
from tests.conftest import drop_database, make_database, use_database
from tests.ledger.test_database_rules import connect
from tests.money import rows

NAMES = ("figures", "holds", "settlement", "failures")


def read_all():
    while sequence():
        pass
    for name in NAMES:
        while consuming.consume(CONSUMERS[name]):
            pass


@pytest.fixture(autouse=True)
def own_database(database):
    """A database where nobody has written past the platform, as tests of its rules do."""
    name = f"models_{os.getpid()}"
    make_database(name)
    use_database(name)
    try:
        yield
    finally:
        use_database(database)
        drop_database(name)


@pytest.fixture
def asset(own_database, rare_asset):
    return rare_asset


@pytest.fixture
def story(shop, asset):
    """Payments of every outcome in an asset of its own; returns the wallets of payer and payee."""
    ann, bob = shop.wallet(asset, holding="100.00"), shop.wallet(asset)
    paid = shop.pay(ann, bob, "10.00").json()["id"]
    shop.post(f"/payments/{paid}/refund", {"amount": "4.00"})
    shop.pay(ann, bob, "1000.00")
    shop.pay(bob, ann, "1000.00")
    held = [shop.pay(ann, bob, "5.00", capture=False).json()["id"] for _ in range(4)]
    shop.post(f"/payments/{held[0]}/void", {})
    shop.post(f"/payments/{held[1]}/capture", {})
    shop.post(f"/payments/{held[2]}/capture", {"amount": "2.00", "final": False})
    shop.post(f"/payments/{held[3]}/reauthorize", {"amount": "7.00"})
    read_all()
    return ann, bob


@pytest.fixture
def reviewed(shop, story, settings):
    """Payments that were put aside, and then approved, denied, withdrawn, or left."""
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"
    for capture in (True, False):
        approved, denied, withdrawn, _ = (
            shop.pay(*story, "1.00", capture=capture, metadata={"policy": "review"}).json()["id"] for _ in range(4)
        )
        shop.post(f"/payments/{approved}/review", {"approve": True})
        shop.post(f"/payments/{denied}/review", {"approve": False})
        shop.post(f"/payments/{withdrawn}/void", {})
    read_all()


def figures(asset, span="day"):
    """What they come to, in one minute or in two."""
    found = PaymentFigure.objects.filter(asset=asset, span=span).values_list("kind", "outcome", "code").order_by()
    summed = found.annotate(Sum("payments"), Sum("amount"))
    return {(kind, outcome, code): (payments, int(amount)) for kind, outcome, code, payments, amount in summed}


def everything():
    tables = ("payment_figures", "settlement_totals", "open_holds", "failure_payments", "failure_clients")
    return [sorted(rows(f"SELECT * FROM {table}"), key=str) for table in tables]


def test_figures_count_each_outcome_with_its_amount(asset, story):
    day = figures(asset)

    assert day["transfer", "settled", ""] == (1, 1000)
    assert day["transfer", "failed", "insufficient_funds"] == (2, 200000)
    assert day["refund", "settled", ""] == (1, 400)
    assert day["authorization", "voided", ""] == (1, 500)
    assert day["capture", "settled", ""] == (2, 700)
    assert figures(asset, "hour") == figures(asset, "minute") == day


def test_figures_add_up_what_moved_and_not_the_whole_payment_again(shop, asset):
    ann, bob = shop.wallet(asset, holding="100.00"), shop.wallet(asset)
    held = shop.pay(ann, bob, "5.00", capture=False).json()["id"]
    shop.post(f"/payments/{held}/reauthorize", {"amount": "7.00"})
    for _ in range(3):
        shop.post(f"/payments/{held}/capture", {"amount": "1.00", "final": False})
    paid = shop.pay(ann, bob, "10.00").json()["id"]
    for _ in range(4):
        shop.post(f"/payments/{paid}/refund", {"amount": "1.00"})
    raised = shop.pay(ann, bob, "5.00", capture=False).json()["id"]
    shop.post(f"/payments/{raised}/reauthorize", {"amount": "6.00"})
    shop.post(f"/payments/{raised}/void", {})
    read_all()

    day = figures(asset)

    assert day["capture", "settled", ""] == (3, 300)
    assert day["refund", "settled", ""] == (4, 400)
    assert day["authorization", "authorized", ""] == (4, 0)
    assert day["authorization", "captured", ""] == (3, 0)
    assert day["transfer", "refunded", ""] == (4, 0)
    assert day["authorization", "voided", ""] == (1, 600)
    assert found() == []


def found():
    """What verify_events finds."""
    return [finding for _, findings in verify(event_checks()) for finding in findings]


@pytest.mark.parametrize(("way", "index"), [("debits", "settlement_payers"), ("credits", "settlement_payees")])
def test_the_top_wallets_of_a_day_are_read_off_an_index(story, asset, way, index):
    day = SettlementTotal.objects.filter(asset=asset).values_list("day", flat=True)[0]
    top = SettlementTotal.objects.filter(day=day, asset=asset).order_by(f"-{way}")[:10]
    with atomic():
        rows("SELECT set_config('enable_seqscan', 'off', true)")
        plan = top.explain()
    assert index in plan
    assert "Sort" not in plan
    assert [getattr(one, way) for one in top] == sorted((getattr(one, way) for one in top), reverse=True)


def test_what_is_held_is_what_the_ledger_holds(asset, story):
    held = OpenHold.objects.filter(asset=asset).aggregate(held=Sum("held"))["held"]

    assert [(held,)] == rows("SELECT sum(held) FROM accounts WHERE asset = %s", asset) == [(1000,)]


def test_settlement_totals_are_what_the_ledger_moved(asset, story):
    told = SettlementTotal.objects.filter(asset=asset).values_list("account_id", "entries", "debits", "credits")

    assert set(told) == set(
        rows(
            """SELECT account_id, count(*), coalesce(sum(e.amount) FILTER (WHERE direction = 'DEBIT'), 0),
                      coalesce(sum(e.amount) FILTER (WHERE direction = 'CREDIT'), 0)
                 FROM ledger_entries e JOIN accounts a ON a.id = e.account_id WHERE a.asset = %s GROUP BY 1""",
            asset,
        )
    )


def test_replays_and_rebuilding_change_nothing(asset, story):
    before = everything()

    for _ in range(3):
        for name in NAMES:
            call_command("replay", name, "--from", "0")
    assert everything() == before

    for name in NAMES:
        call_command("replay", name, "--rebuild")
    assert everything() == before


@pytest.fixture
def hold(shop, asset):
    """An authorization whose void is told and was not read yet; returns its id and the void's position."""
    ann, bob = shop.wallet(asset, holding="100.00"), shop.wallet(asset)
    held = shop.pay(ann, bob, "5.00", capture=False).json()["id"]
    read_all()
    shop.post(f"/payments/{held}/void", {})
    while sequence():
        pass
    return held, log.head()


def test_what_was_set_aside_is_not_retried_ahead_of_a_rebuild(hold):
    holds, (_, voided) = CONSUMERS["holds"], hold
    broken = replace(holds, apply=lambda events: 1 / 0)
    while consuming.consume(broken):
        pass
    [parked] = ParkedEvent.objects.all()

    # The retry had listed it when the rebuild began.
    consuming.rebuild(holds)
    assert retry_one(holds, parked.position) is False
    read_all()

    assert parked.position == voided
    assert not OpenHold.objects.exists()


def test_what_comes_from_elsewhere_waits_until_a_rebuild_has_caught_up(hold):
    holds, (_, voided) = CONSUMERS["holds"], hold
    [void] = log.read(after=voided - 1, limit=1)
    end = consuming.rebuild(holds)

    with pytest.raises(Halted, match="holds is being rebuilt"), atomic():
        consuming.deliver(holds, [void])
    while consuming.position(holds) < end:
        consuming.consume(holds)
    with atomic():
        consuming.deliver(holds, [void])

    assert not OpenHold.objects.exists()


def test_verify_events_finds_nothing_while_a_replay_is_under_way(story):
    for name in NAMES:
        consuming.replay(CONSUMERS[name], after=0)

    assert found() == []


def test_verify_events_finds_nothing_where_a_consumer_has_its_events_from_elsewhere(shop, asset):
    ann, bob = shop.wallet(asset, holding="100.00"), shop.wallet(asset)
    shop.pay(ann, bob, "1.00")
    shop.pay(ann, bob, "5.00", capture=False)
    while sequence():
        pass

    for name in NAMES:
        with atomic():
            consuming.deliver(CONSUMERS[name], log.read(after=0, limit=1000))

    assert found() == []


def test_verify_events_finds_nothing_where_payments_were_reviewed(reviewed):
    assert found() == []


def test_verify_events_finds_nothing_where_nothing_is_wrong(asset, story, capsys):
    call_command("verify_events")
    assert "Nothing is lost" in capsys.readouterr().out


def test_the_hourly_comparison_tells_what_it_finds(asset, story, caplog):
    verify_events({})

    PaymentFigure.objects.filter(asset=asset).delete()
    with pytest.raises(RuntimeError, match="differ in"):
        verify_events({})
    assert "the figures are a recount of the payments" in caplog.text


@pytest.mark.parametrize("shown", [0, 1])
def test_what_is_found_decides_however_little_of_it_is_shown(asset, story, shown, capsys):
    PaymentFigure.objects.all().delete()

    with pytest.raises(SystemExit):
        call_command("verify_events", "--limit", str(shown))

    told = capsys.readouterr().out
    assert "NOT the same" in told
    assert told.count("E3 minute") + told.count("E3 hour") + told.count("E3 day") == shown


@pytest.mark.parametrize("limit", ["-1", "x", ""])
def test_a_limit_that_makes_no_sense_is_refused(limit):
    with pytest.raises(CommandError):
        call_command("verify_events", f"--limit={limit}")


TELL = "INSERT INTO outbox_events (event_id, type, subject, time, correlation_id, traceparent, data)"
COPY = " SELECT gen_random_uuid(), '{}', subject, time, correlation_id, traceparent, data FROM events WHERE asset = %s"
CHANGE = "UPDATE events SET data = replace(data, '{0}', '{1}') WHERE asset = %s AND strpos(data, '{0}') > 0"
PLANTED = {
    "the figures": "UPDATE payment_figures SET payments = payments + 1 WHERE asset = %s",
    "a figure of nothing": "UPDATE payment_figures SET kind = 'fx' WHERE asset = %s AND kind = 'refund'",
    "the settlement totals": "UPDATE settlement_totals SET debits = debits + 1 WHERE asset = %s",
    "a counterparty gone": "DELETE FROM settlement_totals WHERE asset = %s",
    "the open holds": "UPDATE open_holds SET held = held - 1 WHERE asset = %s",
    "a hold gone": "DELETE FROM open_holds WHERE asset = %s",
    "a mark gone": "DELETE FROM processed_events WHERE position IN (SELECT position FROM events WHERE asset = %s)",
    "a mark of nothing": "INSERT INTO processed_events SELECT 'holds', max(position) + 1 FROM events WHERE asset = %s",
    "a mark of what is not wanted": "INSERT INTO processed_events"
    " SELECT 'holds', position FROM events WHERE asset = %s AND type = 'wallet.created'",
    "an event gone": "DELETE FROM events WHERE asset = %s",
    "an event twice": "INSERT INTO events SELECT event_id, type, subject, time, correlation_id, traceparent, data,"
    " position + 1000000, -position, asset, wallet_ids, sequenced_at FROM events WHERE asset = %s",
    "an id twice": "UPDATE events SET event_id = (SELECT max(event_id::text)::uuid FROM events) WHERE asset = %s",
    "an event of nothing": TELL + " VALUES (gen_random_uuid(), 'payment.failed', gen_random_uuid(), now(), '', '', %s)",
    "another entry": CHANGE.format('"seq":1', '"seq":2'),
    "another amount of an entry": CHANGE.format('"amount":"10.00","seq"', '"amount":"9.00","seq"'),
    "another balance": CHANGE.format('"balance_after":"10.00"', '"balance_after":"9.00"'),
    "another amount": CHANGE.format('"amount":"10.00","sender', '"amount":"9.00","sender'),
    "another payer": CHANGE.format('"sender_wallet_id":"0', '"sender_wallet_id":"1'),
    "another reason": CHANGE.format('"insufficient_funds"', '"invalid_state"'),
    "another refunded amount": CHANGE.format('"refunded_amount":"4.00"', '"refunded_amount":"3.00"'),
    "another wallet": CHANGE.format('"wallet":{"id":"0', '"wallet":{"id":"1'),
    "another time": "UPDATE events SET time = '2000-01-01' WHERE asset = %s AND type = 'payment.failed'",
    "another asset": "UPDATE events SET asset = 'XXX' WHERE asset = %s AND type LIKE 'payment.%%'",
    "another asset of a wallet": "UPDATE events SET asset = 'XXX' WHERE asset = %s AND type LIKE 'wallet.%%'",
    "nobody's": "UPDATE events SET wallet_ids = '{}' WHERE asset = %s AND type LIKE 'payment.%%'",
    "no wallet's": "UPDATE events SET wallet_ids = '{}' WHERE asset = %s AND type LIKE 'wallet.%%'",
    "not found by its wallets": "DELETE FROM event_wallets"
    " WHERE position IN (SELECT position FROM events WHERE asset = %s)",
    "found by another wallet": "INSERT INTO event_wallets SELECT gen_random_uuid(), type, position FROM events"
    " WHERE asset = %s",
    "a void that is an expiry": "UPDATE events SET type = 'payment.expired'"
    " WHERE asset = %s AND type = 'payment.voided'",
    "a failure told twice": TELL + COPY.format("payment.failed") + " AND type = 'payment.failed'",
    "a failure of what settled": TELL + COPY.format("payment.failed") + " AND type = 'payment.settled'",
    "a refund of what was not": TELL + COPY.format("payment.refunded") + " AND type = 'payment.failed'",
    "a capture of no hold": TELL + COPY.format("payment.captured") + " AND type = 'payment.settled'",
    "a wallet closed that is not": TELL + COPY.format("wallet.closed") + " AND type = 'wallet.created'",
    "a wallet opened twice": TELL + COPY.format("wallet.created") + " AND type = 'wallet.created'",
    "an event of no type": TELL + COPY.format("payment.exploded") + " AND type = 'payment.settled'",
    "an open hold's asset": "UPDATE open_holds SET asset = 'XXX' WHERE asset = %s",
    "an open hold's end": "UPDATE open_holds SET expires_at = now() WHERE asset = %s",
    "an open hold's payer": "UPDATE open_holds SET sender_wallet_id = gen_random_uuid() WHERE asset = %s",
    "a failed payment gone": "DELETE FROM failure_payments WHERE asset = %s",
    "another code": "UPDATE failure_payments SET code = 'other' WHERE asset = %s",
    "another time of a failure": "UPDATE failure_payments SET failed_at = failed_at + interval '1 s' WHERE asset = %s",
    "another wallet of a failure": "UPDATE failure_payments SET wallet_id = NULL WHERE asset = %s",
    "another client of a failure": "UPDATE failure_payments SET client_id = gen_random_uuid() WHERE asset = %s",
    "a figure of another client": "UPDATE failure_clients SET client_id = gen_random_uuid() WHERE asset = %s",
    "a figure of a client": "UPDATE failure_clients SET payments = payments + 1 WHERE asset = %s AND span = 'day'",
    "a settlement's asset": "UPDATE settlement_totals SET asset = 'XXX' WHERE asset = %s",
    "a settlement's account": "UPDATE settlement_totals SET account_kind = 'fees' WHERE asset = %s",
}


def test_verify_events_finds_what_is_planted(asset, story):
    """All in one world: what is planted is taken back again."""
    missed = []
    with connect("owner") as owner:
        owner.execute("ALTER TABLE events DISABLE TRIGGER USER; ALTER TABLE event_wallets DISABLE TRIGGER USER")
        for planted, statement in PLANTED.items():
            owner.execute("SAVEPOINT planted")
            assert owner.execute(statement, (asset,)).rowcount, planted
            if not any(owner.execute(check.sql).fetchall() for check in event_checks()):
                missed.append(planted)
            owner.execute("ROLLBACK TO SAVEPOINT planted")
        owner.rollback()

    assert missed == []


@pytest.mark.parametrize(
    "type",
    ["payment.settled", "payment.failed", "payment.authorized", "payment.captured", "payment.voided",
     "payment.refunded", "wallet.created", "wallet.activated"],
)  # fmt: skip
def test_verify_events_finds_what_is_not_told(asset, story, type):
    with connect("owner") as owner:
        owner.execute("ALTER TABLE events DISABLE TRIGGER USER")
        owner.execute("DELETE FROM events WHERE asset = %s AND type = %s", (asset, type))
        # Not by the gap that this leaves, or by what consumers made of it.
        complaints = [one for one in event_checks() if one.promise == "E1" and owner.execute(one.sql).fetchall()]
        owner.rollback()

    assert complaints
