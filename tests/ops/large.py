"""A large ledger to look at: its rows, the console's pages on it, and how much the database reads for each."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from redis import Redis

from ledger.assets import create_asset
from ledger.database import close_money_pool
from ledger.models import Entry
from ops.alerts.models import AlertConfiguration
from ops.alerts.types import TYPES
from payments.models import Payment
from tests.conftest import admin_url, drop_database, make_database, use_database
from tests.ops.staff import console, mark, person, root
from walletplatform.identity.models import Client
from walletplatform.identity.sessions import SEEN
from wallets.models import Wallet

# What grows with every payment; figures grow with time only. Of what failed (failure_payments), the analysis reads its
# window, by index: that is what it is for.
BIG = {
    "accounts", "audit_entries", "event_wallets", "events", "idempotency_keys", "latest_payments",
    "ledger_entries", "outbox_events", "payments", "processed_events", "repeated_payments", "transaction_failures",
    "transactions", "wallets", "webhook_attempts", "webhook_deliveries",
}  # fmt: skip
FILL = Path(__file__).with_suffix(".sql")
# Some dozens of look-ups (a kind and a status each), a page's rows each.
WIDEST = 5_000


@contextmanager
def large_ledger(name: str, rows: int, *, back_to: str | None = None) -> Iterator[None]:
    """Make a database with ``rows`` payments, look at it, drop it; then go ``back_to`` another."""
    make_database(name)
    use_database(name)
    close_money_pool()
    try:
        create_asset(code="EUR", name="Euro", kind="fiat", scale=2)
        Client.objects.create(name="large", secret_hash=b"", scopes=[])
        with psycopg.connect(admin_url(), dbname=name, autocommit=True) as admin:
            admin.execute(FILL.read_text().format(rows=rows))
            admin.execute("VACUUM ANALYZE")
        # A connection that planned on empty tables would keep its plans.
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        yield
    finally:
        close_money_pool()
        if back_to:
            use_database(back_to)
        else:
            connection.close()
            connection.close_pool()  # type: ignore[attr-defined]
        drop_database(name)


def pages() -> list[tuple[str, str]]:
    """What to look at: a name and an address for each page. Add yours here."""
    payments = Payment.objects.order_by("id")
    first, last = payments[0], payments.order_by("-id")[0]
    hot, plain = Wallet.objects.order_by("pk")[0].pk, Wallet.objects.order_by("-pk")[0].pk
    failed = payments.filter(status="FAILED").order_by("-id")[0].pk
    entry = Entry.objects.order_by("-id")[0]
    day = f"{last.created_at:%Y-%m-%d}"
    p, w, e = "/admin/payments/payment/", "/admin/wallets/wallet/", "/admin/ledger/entry/"
    return [
        ("payments", p),
        ("payments, last page", f"{p}?before={first.pk}"),
        ("payments, middle", f"{p}?to={first.created_at + (last.created_at - first.created_at) / 2:%Y-%m-%dT%H:%M}"),
        ("payments, failed", f"{p}?status=FAILED"),
        ("payments, voided (long ago)", f"{p}?status=VOIDED"),
        ("payments, to be decided (none)", f"{p}?status=CREATED"),
        ("payments, payouts (none)", f"{p}?kind=payout"),
        ("payments, failed top-ups of EUR, 24 h", f"{p}?kind=topup&status=FAILED&asset=EUR&window=24h"),
        ("payments, code", f"{p}?code=insufficient_funds"),
        ("payments, rare code, kind", f"{p}?code=payment_denied&kind=transfer"),
        ("payments, code without any", f"{p}?code=asset_mismatch"),
        ("payments, of a hot wallet", f"{p}?wallet={hot}"),
        ("payments, voided of a hot wallet", f"{p}?wallet={hot}&status=VOIDED"),
        ("payments, search a wallet", f"{p}?q={plain}"),
        ("payments, search a key", f"{p}?q=large-77"),
        ("payment", f"{p}{last.pk}/change/"),
        ("payment, failed", f"{p}{failed}/change/"),
        ("wallets", w),
        ("wallets, suspended", f"{w}?status=SUSPENDED"),
        ("wallets, closed (none)", f"{w}?status=CLOSED"),
        ("wallets, search", f"{w}?q={plain}"),
        ("wallet, hot", f"{w}{hot}/change/"),
        ("wallet", f"{w}{plain}/change/"),
        ("statement of a hot wallet, a day", f"{w}{hot}/statement/?since={day}&until={day}"),
        ("holds", "/admin/ops/openhold/"),
        ("holds, overdue", "/admin/ops/openhold/?due=overdue"),
        ("holds, of a wallet", f"/admin/ops/openhold/?q={plain}"),
        ("transactions", "/admin/ledger/transaction/"),
        ("transactions, 7 d", "/admin/ledger/transaction/?window=7d"),
        ("transaction", f"/admin/ledger/transaction/{entry.transaction_id}/change/"),
        ("entries", e),
        ("entries, of a hot wallet", f"{e}?account={hot}"),
        ("entries, search a wallet", f"{e}?q={plain}"),
        ("entry", f"{e}{entry.pk}/change/"),
        ("accounts, treasury", "/admin/ledger/account/?kind=treasury"),
        ("log", "/admin/events/event/"),
        ("log, search a payment", f"/admin/events/event/?q={last.pk}"),
        ("audit trail", "/admin/audit/auditentry/"),
        ("audit trail, an action", "/admin/audit/auditentry/?action=wallet.suspend"),
        ("audit trail, an hour long ago", "/admin/audit/auditentry/?from=2020-01-01T00:00&to=2020-01-01T01:00"),
        ("palette, an id", f"/admin/search/?extended=1&s={last.pk}"),
        ("palette, a request", "/admin/search/?extended=1&s=request-77"),
        ("overview", "/admin/"),
        *((f"overview, {span}", f"/admin/?range={span}") for span in ("1h", "7d", "30d")),
        *((f"failures, {span}", f"/admin/failures/?range={span}") for span in ("1h", "24h", "7d", "30d")),
        ("failures of a wallet, 30 d", f"/admin/failures/?range=30d&wallet={hot}"),
        ("a failure, 30 d", "/admin/failures/insufficient_funds/?range=30d"),
        *(
            (f"alert rule, {rule.name}", reverse("admin:ops_alertconfiguration_change", args=[rule.pk]))
            for rule in AlertConfiguration.objects.order_by("name")
        ),
        *(
            (f"new alert rule, {kind}", reverse("admin:ops_alertconfiguration_new_rule") + f"?type={kind}")
            for kind in TYPES
        ),
        *((str(model._meta.verbose_name_plural), list_of(model)) for model in admin.site._registry),
    ]  # fmt: skip


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page took: milliseconds (``cpu``: of this process alone), queries, the most rows that one step read."""

    name: str
    status: int
    milliseconds: float
    cpu: float
    queries: int
    rows: int
    counted: list[str]
    widest: str


def look_at_all(*, times: int = 1) -> Iterator[Seen]:
    """Open every page as somebody of finance, or as a superuser where finance may not."""
    finance, superuser = console(person("finance")), console(root())
    for name, address in pages():
        seen = look(finance, name, address, times=times)
        yield look(superuser, name, address, times=times) if seen.status == 403 else seen


def look(http: Http, name: str, address: str, *, times: int = 1) -> Seen:
    """
    Open a page ``times`` times and keep the best, then have the database explain what it read for it.

    What it asked is counted with nothing in Redis, where what is kept for seconds would hide a query or not, and by
    somebody who has just been seen, as that is written once a minute.
    """
    http.get(address)
    best = cpu = float("inf")
    for _ in range(times):
        start, worked = time.perf_counter(), time.process_time()
        answer = http.get(address)
        best = min(best, (time.perf_counter() - start) * 1000)
        cpu = min(cpu, (time.process_time() - worked) * 1000)
    Redis.from_url(settings.REDIS_URL).flushdb()
    mark(http, **{SEEN: time.time()})
    with CaptureQueriesContext(connection) as asked:
        http.get(address)
    read = [(_rows_read(one["sql"]), one["sql"]) for one in asked if one["sql"].lstrip().startswith(("SELECT", "("))]
    rows, widest = max(read, default=(0, ""))
    counted = [one["sql"] for one in asked if _counts(one["sql"])]
    return Seen(name, answer.status_code, best, cpu, len(asked), rows, counted, widest)


def _counts(sql: str) -> bool:
    """Whether it counts a big table, or skips rows (OFFSET 0 skips none: it keeps the planner out of a subquery)."""
    counts = sql.lstrip().upper().startswith("SELECT COUNT(") and any(f'FROM "{table}"' in sql for table in BIG)
    return counts or re.search("OFFSET [1-9]", sql.upper()) is not None


def _rows_read(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + sql.replace("%", "%%"), [])
        [(plan,)] = cursor.fetchall()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return max(_steps(plan[0]["Plan"]))


def _steps(node: dict[str, Any]) -> Iterator[int]:
    """How many rows each scan of a big table, or of its index, read: those that it threw away, too."""
    dropped = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    yield int((node["Actual Rows"] + dropped) * node["Actual Loops"]) if node.get("Relation Name") in BIG else 0
    for child in node.get("Plans", []):
        yield from _steps(child)
