"""Alerts that others raise, as things happen: no rule measures them, and they last until somebody resolves them."""

from __future__ import annotations

from typing import Any

from django.db import connection

from ledger import clock
from ledger.ids import id_maker
from ops.alerts.models import AlertConfiguration, Severity

_RAISE = """
    INSERT INTO alerts AS known
           (id, configuration_id, type, fingerprint, severity, title, detail, subject, subject_type, subject_id, asset,
            value, threshold, state, occurrences, quiet, first_seen, last_seen, muted_until, owner_name,
            acknowledged_by, resolved_by, classification, note, urgency)
    VALUES (%(id)s, %(rule)s, %(type)s, %(fingerprint)s, %(severity)s, %(title)s, %(detail)s, '', %(subject_type)s,
            %(subject_id)s, '', %(value)s, '', 'PENDING', 1, 0, %(now)s, %(now)s, NULL, '', '', '', '', '', 0)
    ON CONFLICT (fingerprint) WHERE NOT (state = 'RESOLVED') DO UPDATE
       SET occurrences = known.occurrences + 1, last_seen = greatest(known.last_seen, excluded.last_seen),
           detail = excluded.detail, value = excluded.value
 RETURNING id, occurrences
"""


def raise_alert(
    *, type: str, fingerprint: str, severity: str, title: str, detail: str, subject_type: str = "",
    subject_id: str = "", value: str = "",
) -> None:  # fmt: skip
    """
    Alert about something in the caller's transaction; while one with its fingerprint is open, count it there.

    It is told by the first rule of its ``type`` that is enabled, with the next evaluation; without one it only stands
    in the console. ``subject_type`` is of ``ops.alerts.pages.PAGES``.

    :raises ValueError: for a severity that there is not
    """
    now = clock.now()
    rule = AlertConfiguration.objects.filter(type=type, enabled=True, asset="").order_by("id").first()
    raised: dict[str, Any] = {
        "id": id_maker(at=now)(), "rule": rule.pk if rule else None, "type": type[:24], "now": now, "value": value[:40],
        "fingerprint": f"{type} {fingerprint}"[:200], "severity": Severity(severity.lower()).value,
        "title": title[:200], "detail": detail[:2000], "subject_type": subject_type, "subject_id": subject_id[:200],
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_RAISE, raised)
        alert_id, occurrences = cursor.fetchone()
        if occurrences == 1:
            cursor.execute(
                "INSERT INTO alert_steps (alert_id, at, step, by, note) VALUES (%s, %s, 'began', '', %s)",
                [alert_id, now, raised["value"]],
            )
