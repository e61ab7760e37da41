"""Gather the facts of a window: one snapshot of the read models, in a transaction that can write nothing."""

from __future__ import annotations

from django.db import connection
from django.db.transaction import atomic

from ledger import clock
from ops.summaries.facts import Facts
from ops.summaries.health_facts import health_facts
from ops.summaries.payment_facts import payment_facts
from ops.summaries.windows import Window


@atomic(durable=True)
def gather(window: Window, *, code: str = "") -> Facts:
    """Return what is known of the window; with ``code``, more of the failures of that code."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    facts = Facts(window)
    facts.facts.extend(payment_facts(facts, code))
    facts.facts.extend(health_facts(window, clock.now()))
    return facts
