"""
What the serving role ``app`` may do with each table: the whole list, applied after every migrate.

``app`` owns nothing, creates nothing, not even temporary tables, and changes only rows that may
change. A table that is missing here fails ``tests/test_grants.py``.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

APP_ROLE = "app"
READ = "SELECT"
ADD = "SELECT, INSERT"
CHANGE = "SELECT, INSERT, UPDATE"
ALL = "SELECT, INSERT, UPDATE, DELETE"

GRANTS = {
    # ledger
    "assets": ADD,
    "accounts": "SELECT, INSERT, UPDATE (balance, held, seq, open, booked_at)",
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
    # reconciliation
    "reconciliation_runs": (
        "SELECT, INSERT,"
        " UPDATE (state, from_position, to_position, checked, found, truncated, error, tries, finished_at)"
    ),
    "reconciliation_findings": "SELECT, INSERT, UPDATE (evidence, state, owner, note, last_run_id, last_seen)",
    # people and clients
    "identity_users": CHANGE,
    "identity_users_groups": ALL,
    "identity_users_user_permissions": ALL,
    "identity_clients": CHANGE,
    # control
    "approvals": ("SELECT, INSERT, UPDATE (state, decided_by, decided_by_name, decided_at, note, executed_at, result)"),
    "audit_entries": ADD,
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
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        existing = {name for (name,) in cursor.fetchall()}
        cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {APP_ROLE}")
        for table in sorted(GRANTS.keys() & existing):
            cursor.execute(f"GRANT {GRANTS[table]} ON {table} TO {APP_ROLE}")
