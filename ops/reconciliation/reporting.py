"""How a run and its findings are shown to machines: the API, and ``reconcile --json``."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max, Q, Sum

from ops.reconciliation.comparing import PROMISES
from ops.reconciliation.models import Finding, ReconciliationRun
from ops.statements.models import Statement, StatementException, StatementSource
from walletplatform.api.times import time_text

MOST_SHOWN = 1_000


def represent(run: ReconciliationRun) -> dict[str, Any]:
    return {
        "id": str(run.id),
        "kind": run.kind,
        "state": run.state,
        "from_position": run.from_position,
        "to_position": run.to_position,
        "checked": run.checked,
        "found": run.found,
        "truncated": run.truncated,
        "error": run.error or None,
        "started_at": time_text(run.started_at),
        "finished_at": None if run.finished_at is None else time_text(run.finished_at),
    }


def represent_finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": str(finding.id),
        "kind": finding.kind,
        "promise": PROMISES.get(finding.kind),
        "subject_type": finding.subject_type,
        "subject_id": finding.subject_id,
        "expected": finding.evidence["expected"],
        "actual": finding.evidence["actual"],
        "state": finding.state,
        "owner": finding.owner or None,
        "note": finding.note or None,
        "first_seen": time_text(finding.first_seen),
        "last_seen": time_text(finding.last_seen),
    }


def findings_of(run: ReconciliationRun) -> tuple[list[Finding], bool]:
    """Return what a run was the first or the last to see, and whether there is more than is shown."""
    found = Finding.objects.filter(Q(run=run) | Q(last_run=run)).order_by("kind", "id")[: MOST_SHOWN + 1]
    return list(found[:MOST_SHOWN]), len(found) > MOST_SHOWN


def represent_report(run: ReconciliationRun) -> dict[str, Any]:
    """Return a run with its findings, as many as are shown."""
    found, more = findings_of(run)
    return represent(run) | {
        "findings": [represent_finding(one) for one in found], "more_findings": more, "outside": represent_outside()
    }  # fmt: skip


def represent_outside() -> list[dict[str, Any]]:
    """Return how far each source of statements agrees with the ledger, as of now."""
    counted = {
        row["source_id"]: row
        for row in Statement.objects.values("source_id").annotate(
            statements=Count("pk"), said=Sum("line_count"), known=Sum("matched"), until=Max("ends_on")
        )
    }
    waiting = StatementException.objects.filter(state__in=["OPEN", "CORRECTING"]).values("source_id")
    exceptions = dict(waiting.annotate(count=Count("pk")).values_list("source_id", "count"))
    return [
        {
            "source": source.name,
            "asset": source.asset_id,
            "account": source.account.kind,
            "statements": counted[source.pk]["statements"],
            "lines": counted[source.pk]["said"],
            "matched": counted[source.pk]["known"],
            "until": counted[source.pk]["until"].isoformat(),
            "open_exceptions": exceptions.get(source.pk, 0),
        }
        for source in StatementSource.objects.select_related("account").order_by("name")
        if source.pk in counted
    ]
