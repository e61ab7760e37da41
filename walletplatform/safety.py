"""
Refuse to serve where the ledger's guarantees would be empty.

An owner can switch its own triggers off, a superuser everything; and what a server without fsync
acknowledges may be gone after a crash.
"""

import logging
import sys

from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from walletplatform import failpoints

logger = logging.getLogger(__name__)

UNSAFE = """
    SELECT 'the role "' || current_user || '" is a superuser: serve as the role app'
      FROM pg_roles WHERE rolname = current_user AND rolsuper
    UNION ALL
    SELECT 'the role "' || current_user || '" owns ' || tablename || ': serve as the role app'
      FROM pg_tables
     WHERE schemaname = current_schema() AND tablename IN ('accounts', 'ledger_entries', 'transactions')
       AND pg_has_role(current_user, tableowner, 'MEMBER')
    UNION ALL
    SELECT 'the role "' || current_user || '" may create temporary tables: REVOKE TEMP ON DATABASE'
     WHERE has_database_privilege(current_database(), 'TEMP')
    UNION ALL
    SELECT 'the role "' || current_user || '" may create in the schema: REVOKE CREATE ON SCHEMA'
     WHERE has_schema_privilege(current_schema(), 'CREATE')
    UNION ALL
    SELECT name || ' is off: an acknowledged payment could be lost'
      FROM pg_settings
     WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
    UNION ALL
    SELECT 'the trigger ' || tgname || ' is switched off'
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled <> 'O'
"""


def unsafe_settings(connection: BaseDatabaseWrapper) -> list[str]:
    """Return what makes this database unsafe to serve from, each with its remedy; empty if nothing."""
    with connection.cursor() as cursor:
        cursor.execute(UNSAFE)
        found = [reason for (reason,) in cursor.fetchall()]
        if settings.PRODUCTION:
            cursor.execute("SELECT shift FROM ledger_clock WHERE shift <> '0'")
            found += [f"the platform's clock is shifted by {shift}" for (shift,) in cursor.fetchall()]
    if not settings.LARGE_REFUNDS_DECIDED:
        found.append(
            "LARGE_REFUNDS is not set: client systems would give back any amount alone. Name the most that one may, "
            "by asset (EUR=50.00), or set it empty where they may"
        )
    return found + failpoints.refusal()


def refuse_to_serve_unsafely() -> None:
    """End the process where the database is unsafe; a database that is down is waited for, not fatal."""
    try:
        found = unsafe_settings(connection)
    except OperationalError as error:
        logger.warning("The database cannot be reached yet: %s", str(error).strip())
        return
    finally:
        connection.close()
    if found:
        sys.exit("Refusing to serve:\n" + "\n".join(f"  - {reason}" for reason in found))
