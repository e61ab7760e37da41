"""The facts are a recount of the figures, without anybody's words, and the template can tell them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest
from django.db import connection

from ops.failures.words import WORDS
from ops.models import Summary
from ops.summaries import payment_facts, template
from ops.summaries.facts import Facts
from ops.summaries.facts import count as fact
from ops.summaries.gathering import gather
from ops.summaries.stories import Claim, Story
from ops.summaries.verifying import verify
from ops.summaries.windows import Window
from tests.conftest import drop_database, make_database, use_database
from tests.ops.summaries.making import count, this_hour, today, waiting, written

MARK = "xqz7marker"


@pytest.fixture
def own_database(database):
    """A database where texts may be planted past the platform."""
    name = f"summaries_{os.getpid()}"
    make_database(name)
    use_database(name)
    try:
        yield
    finally:
        use_database(database)
        drop_database(name)


def test_no_word_of_a_customer_a_client_or_a_colleague_reaches_the_model(own_database, rare_asset, endpoint, shop):
    ann, bob = shop.wallet(rare_asset, holding="10.00"), shop.wallet(rare_asset)
    shop.pay(ann, bob, "1.00", description=MARK, metadata={MARK: MARK})
    shop.pay(ann, bob, "100.00", description=MARK, metadata={"note": MARK})
    named = {"user_id": str(shop.id), "asset": rare_asset, "label": MARK, "metadata": {MARK: MARK}}
    shop.post("/wallets", named, key=None)
    plant_marks()
    count()

    for window in (this_hour(), today()):
        written(window=window, code="insufficient_funds")

    bodies = b"".join(body for _, body in endpoint.got)
    headers = str([headers for headers, _ in endpoint.got])
    assert b"payments.settled" in bodies
    for secret in (MARK, ann, bob, str(shop.id)):
        assert secret.encode() not in bodies
        assert secret not in headers
    assert b"wallet A" in bodies
    assert ann in json.dumps([summary.names for summary in Summary.objects.exclude(names={})])


def plant_marks():
    """Texts wherever somebody may write one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reconciliation_runs (id, kind, state, checked, found, truncated, error, tries, started_at,"
            " finished_at) VALUES (uuidv7(), 'full', 'FAILED', '{}', %s, false, %s, 1, now(), now()) RETURNING id",
            [json.dumps({MARK: 1}), MARK],
        )
        [id] = cursor.fetchone()
        cursor.execute(
            "INSERT INTO reconciliation_findings (id, kind, subject_type, subject_id, evidence, state, owner, note,"
            " run_id, last_run_id, first_seen, last_seen) VALUES (uuidv7(), %s, 'wallet', %s, %s, 'OPEN', %s, %s, %s,"
            " %s, now(), now())",
            [MARK, MARK, json.dumps({"expected": {MARK: 1}, "actual": {}}), MARK, MARK, id, id],
        )
        cursor.execute(
            "INSERT INTO parked_events (consumer, position, keys, error, tries, parked_at)"
            " VALUES (%s, 1, '{}', %s, 1, now())",
            [MARK, MARK],
        )
        cursor.execute("INSERT INTO event_cursors (name, position, moved_at) VALUES (%s, 0, now())", [MARK])


def test_the_facts_are_a_recount_of_the_figures(shop, rare_asset, monkeypatch):
    monkeypatch.setattr(payment_facts, "MOST_ASSETS", 1_000_000)  # others may be busier
    ann, bob = shop.wallet(rare_asset, holding="5000.00"), shop.wallet(rare_asset)
    shop.pay(ann, bob, "1234.50")
    shop.pay(ann, bob, "9999.00")
    count()

    known = gather(today()).by_key()

    assert known[f"{rare_asset}.settled_amount"].shown == f"6,234.50 {rare_asset}"
    assert known[f"{rare_asset}.failed_amount"].shown == f"9,999.00 {rare_asset}"
    assert int(known["failures.insufficient_funds"].value.replace(",", "")) >= 1
    assert known["payments.settled"].label == "payments settled"


def test_facts_are_read_in_one_snapshot_where_nothing_can_be_written(told):
    seen = set()

    def look(execute, *query):
        done = execute(*query)
        with connection.connection.cursor() as cursor:
            for setting in ("transaction_read_only", "transaction_isolation"):
                seen.add(cursor.execute(f"SHOW {setting}").fetchone()[0])
        return done

    window = this_hour()
    with connection.execute_wrapper(look):
        gather(window)
    assert seen == {"on", "repeatable read"}
    # That was so of that transaction alone.
    Summary.objects.filter(id=waiting().id).update(detail="written")


def test_the_template_passes_the_check_that_the_model_has_to_pass(told):
    empty = Window(datetime(2001, 1, 1, tzinfo=UTC), datetime(2001, 1, 2, tzinfo=UTC))
    for window in (this_hour(), today(), today().before, empty):
        facts = gather(window, code="insufficient_funds")
        verify(template.tell(facts), facts)


def test_each_failure_has_a_label_that_a_summary_may_use():
    for code, known in WORDS.items():
        facts = Facts(today(), [fact("failures." + code, f"{known.title.lower()} failures", 3, 5)])
        text = f"{known.title} failures: 3, down from 5."
        verify(Story("What happened", [Claim(text, ["failures." + code])]), facts)
