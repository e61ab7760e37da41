"""
What the serving role ``app`` may do with each table: the whole list, applied after every migrate.

``app`` owns nothing, creates nothing, not even temporary tables, and changes only rows that may
change. A table that is missing here fails ``tests/test_grants.py``.
"""

import re

from django.db.backends.base.base import BaseDatabaseWrapper

APP_ROLE = "app"
READ = "SELECT"
ADD = "SELECT, INSERT"
CHANGE = "SELECT, INSERT, UPDATE"
ALL = "SELECT, INSERT, UPDATE, DELETE"

GRANTS = {
    # ledger
    "assets": ADD,
    "accounts": "SELECT, INSERT, UPDATE (balance, held, min_available, seq, open, booked_at)",
    "account_floors": READ,
    "transactions": ADD,
    "ledger_entries": ADD,
    "idempotency_keys": ADD,
    "ledger_clock": READ,
    # wallets
    "wallets": "SELECT, INSERT, UPDATE (label, metadata, status, version, updated_at)",
    "wallet_transitions": READ,
    # payments
    "payments": "SELECT, INSERT, UPDATE (status, authorized_amount, captured_amount, refunded_amount, expires_at)",
    "payment_transitions": READ,
    "transaction_failures": ADD,
    "wallet_limits": "SELECT, INSERT, UPDATE (per_payment, per_day, counted_from, updated_at)",
    "wallet_spending": "SELECT, INSERT, UPDATE (spent)",
    # events
    "outbox_events": "SELECT, INSERT, DELETE",
    "events": ADD,
    "event_wallets": ADD,
    "event_cursors": CHANGE,
    "processed_events": "SELECT, INSERT, DELETE",
    "parked_events": ALL,
    "webhook_endpoints": CHANGE,
    "webhook_deliveries": (
        "SELECT, INSERT, UPDATE (state, attempts, counted_from, due_at, claimed_until, give_up_at, finished_at)"
    ),
    "webhook_attempts": ADD,
    # read models, which can be built anew
    "payment_figures": ALL,
    "settlement_totals": ALL,
    "open_holds": ALL,
    "failure_payments": ALL,
    "failure_clients": ALL,
    # reconciliation
    "reconciliation_runs": (
        "SELECT, INSERT,"
        " UPDATE (state, from_position, to_position, checked, found, truncated, error, tries, finished_at)"
    ),
    "reconciliation_findings": (
        "SELECT, INSERT, UPDATE (evidence, state, owner, note, last_run_id, last_seen, frozen_at)"
    ),
    "statement_sources": "SELECT, INSERT, UPDATE (mapping, identifier, tolerance, window_days, patience_days)",
    "statements": "SELECT, INSERT, UPDATE (matched)",
    "statement_lines": "SELECT, INSERT, UPDATE (open)",
    "statement_matches": ADD,
    "statement_match_lines": ADD,
    "statement_match_entries": ADD,
    "statement_exceptions": "SELECT, INSERT, UPDATE (state, owner, note, approval_id, closed_at)",
    "statement_uploads": "SELECT, INSERT, DELETE",
    # summaries
    "ai_summaries": (
        "SELECT, INSERT, UPDATE (state, facts, names, title, claims, written_by, why, detail, model, prompt_version,"
        " finished_at)"
    ),
    "ai_calls": "SELECT, INSERT, UPDATE (cost, tokens_in, tokens_out, outcome, detail, finished_at)",
    # alerts
    "alert_configurations": (
        "SELECT, INSERT, UPDATE (name, asset, threshold, window_minutes, minimum_volume, severity, recipients,"
        " slack_url, cooldown_minutes, escalate_after_minutes, escalation_recipients, resolve_after, weekdays,"
        " from_hour, to_hour, enabled, muted_until, told_at, version, updated_at)"
    ),
    "alerts": (
        "SELECT, INSERT, UPDATE (detail, value, threshold, state, occurrences, quiet, last_seen, told_at, escalated_at,"
        " end_told_at, muted_until, owner_id, owner_name, acknowledged_at, acknowledged_by, resolved_at, resolved_by,"
        " classification, note)"
    ),
    "alert_steps": ADD,
    "alert_notifications": "SELECT, INSERT, UPDATE (state, tries, error, sent_at)",
    "alert_notification_alerts": ADD,
    "alert_samples": "SELECT, INSERT, DELETE",
    "request_troubles": ALL,
    "latest_payments": ALL,
    "repeated_payments": ALL,
    # people and clients
    "identity_users": CHANGE,
    "identity_users_groups": ALL,
    "identity_users_user_permissions": ALL,
    "identity_clients": CHANGE,
    "otp_totp_totpdevice": ALL,
    "otp_static_staticdevice": ALL,
    "otp_static_statictoken": "SELECT, INSERT, DELETE",
    "axes_accessattempt": ALL,
    "axes_accessattemptexpiration": ALL,
    "axes_accessfailurelog": READ,
    "axes_accesslog": READ,
    # control
    "approvals": ("SELECT, INSERT, UPDATE (state, decided_by, decided_by_name, decided_at, note, executed_at, result)"),
    "audit_entries": ADD,
    # jobs
    "jobs": "SELECT, INSERT, DELETE, UPDATE (state, tries, error, errors, due_at, started_at, finished_at)",
    # what a person keeps of the console
    "saved_views": "SELECT, INSERT, DELETE, UPDATE (name)",
    # Django
    "auth_group": ALL,
    "auth_group_permissions": ALL,
    "auth_permission": READ,
    "django_admin_log": ADD,
    "django_content_type": READ,
    "django_migrations": READ,
    "django_session": ALL,
    # schedules
    "django_celery_beat_clockedschedule": ALL,
    "django_celery_beat_crontabschedule": ALL,
    "django_celery_beat_intervalschedule": ALL,
    "django_celery_beat_periodictask": ALL,
    "django_celery_beat_periodictasks": ALL,
    "django_celery_beat_solarschedule": ALL,
}


def apply_grants(connection: BaseDatabaseWrapper) -> None:
    """Give ``app`` exactly ``GRANTS`` on the tables that exist; ``connection`` is the owner's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns"
            " WHERE table_schema = current_schema() GROUP BY 1"
        )
        existing = {table: set(columns) for table, columns in cursor.fetchall()}
        cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {APP_ROLE}")
        for table in sorted(GRANTS.keys() & existing):
            cursor.execute(f"GRANT {_on_columns(GRANTS[table], existing[table])} ON {table} TO {APP_ROLE}")


def _on_columns(rights: str, existing: set[str]) -> str:
    """Leave out the columns that only a later migration brings: a database may stand at any of them."""
    return re.sub(
        r"\(([^)]*)\)", lambda named: f"({', '.join(one for one in named[1].split(', ') if one in existing)})", rights
    )
