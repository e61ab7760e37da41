"""Reconciliation finds nothing where nothing is wrong, and whatever a superuser has planted where it is."""

from __future__ import annotations

import pytest

from events.sequencer import sequence
from ops.reconciliation.models import Finding
from tests.money import rows, value
from tests.ops.story import plant, run, tell_all
from tests.payments.holds import act

# What is planted; the finding: kind, about, expected, actual; whether a run over what is new finds it too.
PLANTS = {
    "an entry's amount": (
        "UPDATE ledger_entries SET amount = amount + 1 WHERE transaction_id = '{paid}' AND leg = 1",
        ("transaction_unbalanced", "{paid}", {"EUR": "0"}, {"EUR": "-1"}), True,
    ),
    "an entry's amount, and so the sum of all": (
        "UPDATE ledger_entries SET amount = amount + 1 WHERE transaction_id = '{paid}' AND leg = 1",
        ("asset_entries", "EUR", {"entries": "0"}, {"entries": "-1"}), True,
    ),
    "an entry's direction": (
        "UPDATE ledger_entries SET direction = 'CREDIT' WHERE transaction_id = '{paid}' AND leg = 1",
        ("account_balance", "{ann}", {"balance": "1400", "seq": 2}, {"balance": "600", "seq": 2}), True,
    ),
    "an entry moved to another account": (
        "UPDATE ledger_entries SET account_id = '{bob}', seq = 999 WHERE transaction_id = '{paid}' AND leg = 1",
        ("account_balance", "{ann}", {"balance": "1000", "seq": 1}, {"balance": "600", "seq": 2}), True,
    ),
    "an entry deleted": (
        "DELETE FROM ledger_entries WHERE transaction_id = '{paid}' AND leg = 2",
        ("transaction_entries", "{paid}", {"entries": 2}, {"entries": 1, "legs": [1]}), True,
    ),
    "a transaction deleted": (
        "DELETE FROM transactions WHERE id = '{paid}'",
        ("payment_posting", "{paid}", {"transaction": "transfer"}, {"transaction": None}), True,
    ),
    "a transaction deleted, and its entries left": (
        "DELETE FROM transactions WHERE id = '{paid}'",
        ("entry_orphaned", "{entry}", {"transaction": "{paid}"}, {"transaction": None}), True,
    ),
    "a transaction deleted with its entries": (
        "DELETE FROM ledger_entries WHERE transaction_id = '{paid}'; DELETE FROM transactions WHERE id = '{paid}'",
        ("payment_posting", "{paid}", {"transaction": "transfer"}, {"transaction": None, "entries": []}), True,
    ),
    "an account deleted": (
        "DELETE FROM accounts WHERE id = '{ann}'",
        ("wallet_account", "{ann}", {"status": "ACTIVE"}, {"account": None}), True,
    ),
    "entries of nothing": (
        "INSERT INTO ledger_entries (id, transaction_id, entry_count, leg, account_id, direction, amount, seq,"
        " balance_after) VALUES ('{made}', gen_random_uuid(), 2, 1, gen_random_uuid(), 'DEBIT', 1, 1, 1)",
        ("entry_orphaned", "{made}", {}, {"transaction": None, "account": None}), False,
    ),
    "a transaction of no payment": (
        "INSERT INTO transactions SELECT '{made}'::uuid, 'transfer', 2, booked_at, effective_at FROM transactions"
        " WHERE id = '{paid}'",
        ("payment_posting", "{made}", {"transaction": None}, {"transaction": "transfer"}), False,
    ),
    "a balance": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'",
        ("account_balance", "{ann}", {"balance": "600"}, {"balance": "601", "last_balance_after": "600"}), True,
    ),
    "a balance, and so the sum of all": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'",
        ("asset_balances", "EUR", {"balances": "0"}, {"balances": "1"}), False,
    ),
    "a balance after": (
        "UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE transaction_id = '{paid}' AND leg = 1",
        ("account_chain", "{ann}", {"seq": 2, "balance_after": "600"}, {"seq": 2, "balance_after": "601"}), True,
    ),
    "a seq": (
        "UPDATE ledger_entries SET seq = 3 WHERE transaction_id = '{paid}' AND leg = 1",
        ("account_chain", "{ann}", {"seq": 2}, {"seq": 3}), True,
    ),
    "an entry out of old times": (
        "UPDATE ledger_entries SET balance_after = balance_after - 1 WHERE account_id = '{old}' AND seq = 1",
        ("account_chain", "{old}", {"seq": 1, "balance_after": "500"}, {"balance_after": "499"}), False,
    ),
    "what is held": (
        "UPDATE accounts SET held = 1 WHERE id = '{ann}'",
        ("account_held", "{ann}", {"held": "0", "authorizations": 0}, {"held": "1"}), True,
    ),
    "too much held": (
        "ALTER TABLE accounts DROP CONSTRAINT accounts_funds; UPDATE accounts SET held = 601 WHERE id = '{ann}'",
        ("account_overspent", "{ann}", {"available_at_least": "0"}, {"available": "-1", "balance": "600"}), True,
    ),
    "an overdraft of once": (
        "UPDATE ledger_entries SET balance_after = -5 WHERE transaction_id = '{paid}' AND leg = 1",
        ("account_was_overspent", "{ann}", {"balance_after_at_least": "0"}, {"balance_after": "-5"}), True,
    ),
    "an overdraft that was allowed then": (
        "DELETE FROM account_floors WHERE account_id = '{over}'",
        ("account_was_overspent", "{over}", {"balance_after_at_least": "0"}, {"balance_after": "-300"}), True,
    ),
    "a floor that nobody has approved": (
        "UPDATE accounts SET min_available = -100 WHERE id = '{ann}'",
        ("account_floor", "{ann}", {"min_available": "0"}, {"min_available": "-100"}), True,
    ),
    "what counts towards a limit": (
        "UPDATE wallet_spending SET spent = spent - 1 WHERE wallet_id = '{limited}'",
        ("limit_counters", "{limited}", {"spent": "800"}, {"spent": "799"}), True,
    ),
    "a day that counts towards a limit, deleted": (
        "DELETE FROM wallet_spending WHERE wallet_id = '{limited}'",
        ("limit_counters", "{limited}", {"spent": "800"}, {"spent": "0"}), True,
    ),
    "a payment's amount": (
        "UPDATE payments SET amount = amount + 1 WHERE id = '{paid}'",
        ("payment_posting", "{paid}", {"entries": ["DEBIT {ann} 401", "CREDIT {bob} 401"]},
         {"entries": ["DEBIT {ann} 400", "CREDIT {bob} 400"]}), True,
    ),
    "a payment's receiver": (
        "UPDATE payments SET receiver_id = '{old}' WHERE id = '{paid}'",
        ("payment_posting", "{paid}", {"entries": ["DEBIT {ann} 400", "CREDIT {old} 400"]},
         {"entries": ["DEBIT {ann} 400", "CREDIT {bob} 400"]}), True,
    ),
    "a payment's kind": (
        "UPDATE payments SET kind = 'spend' WHERE id = '{paid}'",
        ("payment_posting", "{paid}", {"transaction": "spend"}, {"transaction": "transfer"}), True,
    ),
    "a status": (
        "UPDATE payments SET status = 'VOIDED' WHERE id = '{paid}'",
        ("payment_told", "{paid}", {"status": "VOIDED", "told": {"voided": 1}}, {"told": {"settled": 1}}), True,
    ),
    "a failure without its reason": (
        "DELETE FROM transaction_failures WHERE payment_id = '{failed}'",
        ("payment_failure", "{failed}", {"status": "FAILED", "reason": True}, {"reason": None}), True,
    ),
    "a reason without its failure": (
        "INSERT INTO transaction_failures SELECT '{paid}'::uuid, code, category, detail, created_at"
        " FROM transaction_failures WHERE payment_id = '{failed}'",
        ("payment_failure", "{paid}", {"status": "SETTLED", "reason": False}, {"reason": "insufficient_funds"}), True,
    ),
    "what was captured": (
        "UPDATE payments SET captured_amount = captured_amount + 1 WHERE id = '{captured}'",
        ("payment_counters", "{captured}", {"captured": "100"}, {"captured": "101"}), True,
    ),
    "what was given back": (
        "UPDATE payments SET refunded_amount = 0 WHERE id = '{refunded}'",
        ("payment_counters", "{refunded}", {"refunded": "50"}, {"refunded": "0"}), True,
    ),
    "an event deleted": (
        "DELETE FROM events WHERE subject = '{paid}'",
        ("payment_told", "{paid}", {"told": {"settled": 1}}, {"told": {}}), True,
    ),
    "an event deleted, and its place left": (
        "DELETE FROM events WHERE subject = '{paid}'",
        ("log_gap", "{position}", {"position": "{position}"}, {"position": None}), True,
    ),
    "an end told twice": (
        "INSERT INTO events (position, outbox_id, event_id, type, subject, time, correlation_id, traceparent, data,"
        " asset, wallet_ids, sequenced_at) SELECT 1 + (SELECT max(position) FROM events), -1, gen_random_uuid(), type,"
        " subject, time, correlation_id, traceparent, data, asset, wallet_ids, sequenced_at FROM events"
        " WHERE subject = '{paid}'",
        ("payment_told", "{paid}", {"told": {"settled": 1}}, {"told": {"settled": 2}}), True,
    ),
    "a payment that never was": (
        "UPDATE events SET subject = '{made}' WHERE position = {position}",
        ("event_untrue", "{position}", {"told": "payment.settled", "about": "{made}"}, {"payment": None}), True,
    ),
    "a wallet's status": (
        "UPDATE wallets SET status = 'SUSPENDED' WHERE id = '{ann}'",
        ("wallet_account", "{ann}", {"status": "SUSPENDED", "open": False}, {"open": True}), True,
    ),
    "a wallet's status that is not told": (
        "UPDATE wallets SET status = 'SUSPENDED' WHERE id = '{ann}'",
        ("wallet_told", "{ann}", {"created": 1, "last": "suspended"}, {"created": 1, "last": "activated"}), True,
    ),
    "a figure": (
        "UPDATE payment_figures SET payments = payments + 1 WHERE span = 'minute' AND kind = 'refund'",
        ("payment_figures", "minute", {"payments": 1, "amount": "50"}, {"payments": 2, "amount": "50"}), True,
    ),
    "an hour's figure": (
        "UPDATE payment_figures SET amount = amount + 1 WHERE span = 'hour' AND kind = 'refund'",
        ("payment_figures", "hour", {"payments": 1, "amount": "50"}, {"payments": 1, "amount": "51"}), True,
    ),
    "a day's settlement": (
        "UPDATE settlement_totals SET debits = debits + 1 WHERE account_id = '{ann}'",
        ("settlement_totals", "{day} {ann}", {"entries": 2}, {"entries": 2}), True,
    ),
    "a day's settlement deleted": (
        "DELETE FROM settlement_totals WHERE account_id = '{ann}'",
        ("settlement_totals", "{day} {ann}", {"entries": 2}, {"entries": 0}), True,
    ),
    "a failed payment that is not analysed": (
        "DELETE FROM failure_payments WHERE payment_id = '{failed}'",
        ("failed_payments", "{failed}", {"code": "insufficient_funds"}, {"failed": False}), True,
    ),
    "the amount of a failed payment": (
        "UPDATE failure_payments SET amount = amount + 1 WHERE payment_id = '{failed}'",
        ("failed_payments", "{failed}", {"amount": "100000"}, {"amount": "100001"}), True,
    ),
    "a failed payment that never was": (
        "INSERT INTO failure_payments SELECT '{made}'::uuid, failed_at, kind, asset, code, category, client_id,"
        " wallet_id, amount FROM failure_payments WHERE payment_id = '{failed}'",
        ("failed_payments", "{made}", {"failed": False}, {"code": "insufficient_funds"}), False,
    ),
    "an hour's figure of a client": (
        "UPDATE failure_clients SET payments = payments + 1 WHERE span = 'hour' AND outcome = 'failed'",
        ("client_figures", "hour", {"payments": 6}, {"payments": 7}), True,
    ),
    "a day's figure of a client": (
        "UPDATE failure_clients SET amount = amount + 1 WHERE span = 'day' AND outcome = 'failed'",
        ("client_figures", "day", {"payments": 6, "amount": "104101"}, {"payments": 6, "amount": "104102"}), True,
    ),
    "a statement's line": (
        "UPDATE statement_lines SET amount = amount + 1 WHERE NOT open",
        ("statement_match", "{match}", {"difference": "0"}, {"difference": "1"}), False,
    ),
    "a match's entry": (
        "UPDATE statement_match_entries SET entry_id = '{made}'",
        ("statement_match", "{match}", {"wrong_entries": 0}, {"wrong_entries": 1}), False,
    ),
    "a match's difference": (
        "UPDATE statement_matches SET difference = 7",
        ("statement_match", "{match}", {"difference": "7"}, {"difference": "0"}), False,
    ),
    "a statement's line deleted": (
        "DELETE FROM statement_lines WHERE open",
        ("statement_counts", "{statement}", {"lines": 1, "matched": 1}, {"lines": 2, "matched": 1}), False,
    ),
    "how many of a statement's lines are matched": (
        "UPDATE statements SET matched = 2",
        ("statement_counts", "{statement}", {"matched": 1}, {"matched": 2}), False,
    ),
    "an open hold": (
        "UPDATE open_holds SET held = held + 1 WHERE payment_id = '{held}'",
        ("open_holds", "{held}", {"held": "200"}, {"held": "201"}), True,
    ),
    "a hold of nothing": (
        "INSERT INTO open_holds SELECT '{made}'::uuid, asset, sender_wallet_id, held, created_at, expires_at"
        " FROM open_holds",
        ("open_holds", "{made}", {"held": None}, {"held": "200"}), False,
    ),
}  # fmt: skip


def filled(template, names):
    if isinstance(template, str):
        return template.format(**names)
    if isinstance(template, list):
        return [filled(one, names) for one in template]
    if isinstance(template, dict):
        return {name: filled(one, names) for name, one in template.items()}
    return template


def has(side, wanted):
    """Whether a finding's side says what is wanted; it may say more."""
    return all(name in side and (side[name] == told or str(side[name]) == told) for name, told in wanted.items())


def test_a_right_ledger_is_clean_to_both_kinds_of_run(story):
    statuses = {status for (status,) in rows("SELECT DISTINCT status FROM payments")}
    assert statuses == {"CREATED", "AUTHORIZED", "SETTLED", "FAILED", "VOIDED", "EXPIRED"}

    new, full = run(), run("full")

    assert [(one.state, one.found) for one in (new, full)] == [("CLEAN", {}), ("CLEAN", {})]
    assert Finding.objects.count() == 0
    assert full.checked["entries"] == value("SELECT count(*) FROM ledger_entries")
    assert full.checked["payments"] == value("SELECT count(*) FROM payments")
    assert full.checked["accounts"] == value("SELECT count(*) FROM accounts")
    assert full.checked["events"] == full.to_position == value("SELECT count(*) FROM events")
    assert 0 < new.from_position < new.to_position == full.to_position


def test_what_is_not_told_or_not_taken_in_yet_is_no_difference(story, shop):
    shop.pay(story["ann"], story["bob"], "1.00")
    act(shop, story["held"], "void")
    assert run("full").found == {}

    while sequence():
        pass
    shop.pay(story["ann"], story["bob"], "1.00")

    assert (run().found, run("full").found) == ({}, {})
    tell_all()
    assert (run().found, run("full").found) == ({}, {})


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_found_with_both_sides(own_database, story, name):
    sql, (kind, about, expected, actual), by_new = PLANTS[name]
    plant(own_database, sql.format(**story))

    def found(run):
        assert run.state == "FINDINGS", run.error
        return [
            one for one in Finding.objects.filter(kind=kind, last_run=run)
            if one.subject_id.startswith(filled(about, story))
            and has(one.evidence["expected"], filled(expected, story))
            and has(one.evidence["actual"], filled(actual, story))
        ]  # fmt: skip

    if by_new:
        assert found(run()), list(Finding.objects.values_list("kind", "subject_id", "evidence"))
    assert found(run("full")), list(Finding.objects.values_list("kind", "subject_id", "evidence"))
