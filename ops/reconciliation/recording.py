"""Put on record what a run came to: its result and its findings, in one transaction."""

from __future__ import annotations

from uuid import UUID

import orjson
from django.db import connection
from django.db.transaction import atomic

from ledger import clock
from ledger.ids import id_maker
from ops.reconciliation.comparing import Result
from ops.reconciliation.models import ReconciliationRun

State = ReconciliationRun.State

# In one order, so that two runs that end together wait in line. What was explained was this evidence, no other.
_SEEN = """
    INSERT INTO reconciliation_findings AS known
           (id, kind, subject_type, subject_id, evidence, state, owner, note,
            run_id, last_run_id, first_seen, last_seen)
    SELECT n.id, n.kind, n.subject_type, n.subject_id, n.evidence, 'OPEN', '', '',
           %(run)s, %(run)s, %(now)s, %(now)s
      FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(types)s::text[], %(subjects)s::text[], %(evidence)s::jsonb[])
           AS n (id, kind, subject_type, subject_id, evidence)
     ORDER BY n.kind, n.subject_type, n.subject_id
    ON CONFLICT (kind, subject_type, subject_id) WHERE NOT (state = 'RESOLVED') DO UPDATE
       SET last_run_id = excluded.last_run_id, last_seen = greatest(known.last_seen, excluded.last_seen),
           evidence = excluded.evidence,
           state = CASE WHEN known.evidence = excluded.evidence THEN known.state ELSE 'OPEN' END
"""


@atomic(durable=True)
def record(run_id: UUID, result: Result) -> None:
    """Finish a run with its result; nothing where another worker has finished it meanwhile."""
    run = ReconciliationRun.objects.select_for_update().get(id=run_id)
    if run.state != State.RUNNING:
        return
    now = clock.now()
    if result.differences:
        new_id, found = id_maker(at=now), list(result.differences.values())
        with connection.cursor() as cursor:
            cursor.execute(
                _SEEN,
                {
                    "run": run_id,
                    "now": now,
                    "ids": [new_id() for _ in found],
                    "kinds": [one.kind for one in found],
                    "types": [one.subject_type for one in found],
                    "subjects": [one.subject_id for one in found],
                    "evidence": [orjson.dumps(one.evidence).decode() for one in found],
                },
            )
    run.state = State.FINDINGS if result.differences else State.CLEAN
    run.from_position, run.to_position = result.after, result.upto
    run.checked, run.found, run.truncated = dict(result.checked), dict(result.found), result.truncated
    run.finished_at = now
    run.save(update_fields=["state", "from_position", "to_position", "checked", "found", "truncated", "finished_at"])


@atomic(durable=True)
def give_up(run_id: UUID, error: str) -> None:
    """Finish a run without a result."""
    ReconciliationRun.objects.filter(id=run_id, state=State.RUNNING).update(
        state=State.FAILED, error=error[:500], finished_at=clock.now()
    )
